"""The limits of mitigation: the least drift at which a concept is still learned, and what sets it.

Drift correction is given ever smaller weights, from one that lets nothing be learned to none at all: a curve of what is
lost against what is learned. Where it first reaches the fidelity that counts as learned is the least drift for these
settings. That is found anew for other banks, ranks and numbers of pictures, one changed at a time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ..metrics.measurement import Estimate
from ..metrics.statistics import mean_estimate
from ..train.plan import TrainPlan
from ..verdict.learning import LEAST
from .experiment import Experiment, Findings
from .findings.compare import SHARE, cell, counted_runs, mean_of, rows_of, table
from .findings.figure import Figure, Series
from .jobs.job import Job, Lesson, Result
from .jobs.learning_methods import taught
from .jobs.study import ConceptPictures, Study

METRICS = ("denoiser_drift", "semantic")
"""What is lost: the function that drift correction itself holds, and answers, which it does not see."""
WEIGHTS = (30.0, 10.0, 3.0, 1.0, 0.3, 0.0)
"""Of drift correction, from one at which hardly anything is learned; steps of about three, as its effect is that of a
ratio of losses. 0 is plain training."""
FACTORS: dict[str, tuple[float, ...]] = {"bank": (8, 32, 128), "rank": (2, 32), "pictures": (1, 3)}
"""What else is changed -> its values besides the study's own: prompts of the bank, rank, pictures learned from."""
OWN = "as the study"
"""Row in which nothing else is changed."""


def frontier_jobs(study: Study) -> tuple[Job, ...]:
    """Return every weight under the study's own settings and under each other value of a factor."""
    settings = [(OWN, "", 0.0)]
    settings += [(f"{factor} {value:g}", factor, value) for factor, levels in FACTORS.items() for value in levels]
    return tuple(
        _job(study, concept, seed, setting, weight)
        for seed in range(study.seeds)
        for concept in study.concepts
        for setting in settings
        for weight in WEIGHTS
    )


def _job(study: Study, concept: ConceptPictures, seed: int, setting: tuple[str, str, float], weight: float) -> Job:
    row, factor, value = setting
    plan = _weighed(taught(study, concept, seed, ("dc",) if weight else ()), weight)
    if factor == "rank":
        plan = replace(plan, rank=int(value))
    elif factor == "bank" and weight:  # plain training has no bank
        plan = replace(plan, bank_prompts=int(value))
    pictures = int(value) if factor == "pictures" else 0
    return Job(row, seed, (Lesson(concept.name, plan, pictures),), METRICS, at=(("weight", weight),))


def _weighed(plan: TrainPlan, weight: float) -> TrainPlan:
    return replace(plan, dc_weight=weight, dc_control="fixed", drift_every=0) if weight else plan


def frontier_findings(study: Study, results: Sequence[Result]) -> Findings:
    """Return the least drift of every setting, what changes it most, and the curves."""
    rows = rows_of(results)
    lost = {row: least_drifts(found) for row, found in rows.items()}
    heads = ["", "reach it", "least drift %", "accuracy lost there, points"]
    lines = []
    for row, found in rows.items():
        answers = list(least_drifts(found, "accuracy_drop").values())
        reached = f"{len(lost[row])} of {len(_curves(found, 'drift'))}"
        lines.append([row, reached, cell(_mean(lost[row].values()), 2), cell(_mean(answers), 1)])
    said = f"It: a concept fidelity of {100 * LEAST:.0f} %, from which a concept counts as learned. {sets_it(lost)}"
    series = tuple(Series(row, _means(found)) for row, found in rows.items())
    figure = Figure(
        "What learning costs, from strong to no drift correction", "concept fidelity %", "denoiser drift %", series
    )
    return Findings((counted_runs(results), "", *table(heads, lines), "", said), figure)


def least_drifts(results: Sequence[Result], name: str = "drift") -> dict[tuple[str, int], float]:
    """Return concept and seed -> what is lost, in percent, where a curve first learns enough; none where none does."""
    at = {place: at_level(curve, LEAST) for place, curve in _curves(results, name).items()}
    return {place: SHARE * lost for place, lost in at.items() if lost is not None}


def at_level(curve: Sequence[tuple[float, float]], level: float) -> float | None:
    """Return what is lost where a curve of (learned, lost) first learns as much as `level`; None where it never does.

    The curve starts with the untrained base, (0, 0), and goes on straight from point to point.
    """
    learned, lost = 0.0, 0.0
    for more, then in curve:
        if more >= level:
            return lost + (then - lost) * (level - learned) / (more - learned)
        learned, lost = more, then
    return None


def _curves(results: Sequence[Result], name: str) -> dict[tuple[str, int], list[tuple[float, float]]]:
    """Return concept and seed -> (fidelity, lost), from the largest weight to the smallest."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for result in sorted(results, key=lambda one: -one.at["weight"]):
        learned, lost = result.value("fidelity"), result.value(name)
        if learned is not None and lost is not None:
            found.setdefault((result.concept, result.seed), []).append((learned, lost))
    return found


def sets_it(lost: dict[str, dict[tuple[str, int], float]]) -> str:
    """Return which factor changes the least drift most, of those whose every value reached it on the same runs."""
    spreads = []
    for factor, levels in FACTORS.items():
        rows = [lost.get(OWN, {}), *(lost.get(f"{factor} {value:g}", {}) for value in levels)]
        shared = set.intersection(*(set(row) for row in rows))
        means = [float(np.mean([row[place] for place in shared])) for row in rows] if shared else []
        if means and min(means) > 0:
            spreads.append((max(means) / min(means), factor, min(means), max(means)))
    if not spreads:
        return "What sets it is not shown: too few settings learned the concept."
    ratio, factor, low, high = max(spreads)
    return f"Of what was changed, {factor} sets it most: {low:.2g} to {high:.2g} %, a factor of {ratio:.1f}."


def _mean(found: Iterable[float]) -> Estimate | None:
    known = np.array(list(found))
    return mean_estimate(known) if len(known) else None


def _means(results: Sequence[Result]) -> tuple[tuple[float, float], ...]:
    points = [(0.0, 0.0)]
    for weight in WEIGHTS:
        of_weight = [result for result in results if result.at["weight"] == weight]
        learned, lost = mean_of(of_weight, "fidelity", SHARE), mean_of(of_weight, "drift", SHARE)
        if learned is not None and lost is not None:
            points.append((learned.value, lost.value))
    return tuple(points)


EXPERIMENT = Experiment(
    name="frontier",
    title="The limits of mitigation",
    question="What is the least drift at which a concept is still learned, and what sets it: the size of the prompt "
    "bank, the rank of the change, or the number of pictures?",
    jobs=frontier_jobs,
    findings=frontier_findings,
)
