"""Can what a LoRA damages be foretold before it is audited? From its weights, its training, and a few dozen rows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from ..metrics.measurement import Estimate
from ..train.plan import TrainPlan
from .experiment import Experiment, Findings
from .findings.compare import counted_runs, table
from .findings.correlation import rank_correlation, ranks
from .findings.figure import Figure, Series
from .findings.foretell import COVERED, folds_of, foretell
from .jobs.job import Job, Lesson, Result
from .jobs.learning_methods import by_custom_diffusion, learns_words, taught
from .jobs.study import Study

METRICS = ("denoiser_drift", "semantic", "color")
RANKS = (2, 8, 32)
"""From what holds a concept barely to as much as people train."""
RATES = (0.5, 1.0, 2.0)
"""Shares of the study's rate: from too little to too much."""
STEPS = (0.5, 1.0)
"""Shares of the study's steps."""
TERMS = {"plain": (), "prior": ("prior",), "dc": ("dc",)}
"""How a row is called -> its preservation terms; the row "cd" is plain Custom Diffusion."""
PROBES = 4
"""Prompts of the probe: with the eight timesteps of quick audits three dozen rows, less than drawing one picture."""
HOLDS = 0.8
"""Rank correlation above which a prediction would be of use as a first screen."""
TINY = 1e-9
"""Less than arithmetic alone leaves of any number here: what is below is taken for it, so that it has a logarithm."""
LEAST = 12
"""LoRAs below which nothing is foretold: fewer than there are columns."""

Row = dict[str, float]
"""What is known of a LoRA before its audit."""


def predict_jobs(study: Study) -> tuple[Job, ...]:
    """Return sixty trainings for each seed, over ranks, rates, steps and methods; concepts take turns.

    Of a base that cannot be taught by Custom Diffusion there are 54.
    """
    jobs = []
    for seed in range(study.seeds):
        for place, (row, rank, rate, steps) in enumerate(_settings(study.family)):
            concept = study.concepts[(place + seed) % len(study.concepts)]
            plan = taught(study, concept, seed, TERMS.get(row, ()))
            plan = replace(plan, rank=rank, rate=rate * plan.rate, steps=max(1, round(steps * plan.steps)))
            if row == "cd":
                plan = by_custom_diffusion(plan)
            lessons = (Lesson(concept.name, plan),)
            jobs.append(Job(row, seed, lessons, METRICS, at=tuple(_told(plan).items()), probes=PROBES))
    return tuple(jobs)


def _settings(family: str) -> list[tuple[str, int, float, float]]:
    factors: list[tuple[str, int, float, float]] = list(product(TERMS, RANKS, RATES, STEPS))
    if not learns_words(family):
        return factors
    return factors + [("cd", RANKS[-1], rate, steps) for rate, steps in product(RATES, STEPS)]  # it has no rank


def _told(plan: TrainPlan) -> Row:
    """Return what a training's settings say; a LoRA from elsewhere has them in its metadata."""
    return {
        "log steps x rate": math.log10(plan.steps * plan.rate),
        "log rank": math.log10(plan.rank),
        "custom diffusion": float(plan.method == "custom_diffusion"),
        **{f"term {name}": float(name in plan.preserve) for name in ("prior", "dc")},
    }


def _log(value: float) -> float:
    return math.log10(max(value, TINY))


def _weights(result: Result) -> Row:
    """Return the size of the whole change, and of each kind of layer: a plain 0 for one that is left alone."""
    kinds = {name: value for name, value in result.facts.items() if name != "delta_norm"}
    return {"log delta_norm": _log(result.facts["delta_norm"]), **kinds}


def _probe(result: Result) -> Row:
    value = result.value("probe_drift")
    return {} if value is None else {"log probe": _log(value)}


KNOWN: dict[str, Callable[[Result], Row]] = {
    "size of the change alone": lambda one: {"size": _weights(one)["log delta_norm"]},
    "steps x rate alone": lambda one: {"length": one.at["log steps x rate"]},
    "probe alone": _probe,
    "weights": _weights,
    "settings": lambda one: dict(one.at),
    "weights, settings and probe": lambda one: {**_weights(one), **one.at, **_probe(one)},
}
"""What is foretold from -> the columns; the first three are the simple ways that the last has to beat."""
BEST = "weights, settings and probe"
TARGETS: dict[str, tuple[str, Callable[[float], float]]] = {
    "drift": ("denoiser drift", _log),
    "accuracy_drop": ("accuracy lost", lambda value: value),
    "cdi": ("CDI", _log),
}
"""Number that is foretold -> its words, and the scale on which columns add up."""


def predict_findings(study: Study, results: Sequence[Result]) -> Findings:
    """Return the cross-validated rank correlations and how often intervals hold, and a plot of the best prediction."""
    if len(results) < LEAST:
        return Findings((f"{len(results)} LoRAs are too few to foretell anything from.",))
    lines, points, verdicts = [], {}, []
    for known, columns in KNOWN.items():
        cells = [known]
        for number, (words, _) in TARGETS.items():
            found = judged(results, number, columns)
            cells.append("-" if found is None else f"{_shown(found[0])}, {100 * found[1]:.0f} %")
            if found is not None and known == BEST:
                points[words] = found[2]
                verdicts.append((words, found[0]))
        lines.append(cells)
    heads = ["foretold from", *(words for words, _ in TARGETS.values())]
    said = (
        f"{len(results)} LoRAs. Spearman's correlation of what was foretold and what was measured, on LoRAs of "
        "concepts that the fit has not seen (of a tenth of all where there are too few concepts), with its 95 % "
        f"interval; then the share of LoRAs whose number lies in the interval that is to hold {100 * COVERED:.0f} %."
    )
    series = tuple(Series(words, found, joined=False) for words, found in points.items())
    figure = Figure("Foretold and measured", "foretold (ranks)", "measured (ranks)", series)
    return Findings((counted_runs(results), "", *table(heads, lines), "", said, "", _verdict(verdicts)), figure)


def judged(
    results: Sequence[Result], number: str, columns: Callable[[Result], Row]
) -> tuple[Estimate, float, tuple[tuple[float, float], ...]] | None:
    """Return correlation, share of intervals that hold, and the ranks of both; None where it was not measured."""
    scale = TARGETS[number][1]
    rows = [(result, value) for result in results if (value := result.value(number)) is not None and columns(result)]
    if len(rows) < LEAST:
        return None
    target = np.array([scale(value) for _, value in rows])
    groups = [result.concept for result, _ in rows]
    known = [columns(result) for result, _ in rows]
    names = sorted({name for row in known for name in row})
    matrix = np.array([[row.get(name, 0.0) for name in names] for row in known])
    foretold = foretell(matrix, target, folds_of(groups))
    # LoRAs are the units: of one concept they differ in all else.
    found = rank_correlation(foretold.predicted.tolist(), target.tolist(), range(len(target)))
    if found is None:
        return None
    both = zip(ranks(foretold.predicted).tolist(), ranks(target).tolist(), strict=True)
    return found, foretold.held(target), tuple(both)


def _shown(found: Estimate) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _verdict(found: Sequence[tuple[str, Estimate]]) -> str:
    holding = [words for words, estimate in found if estimate.low > HOLDS]
    failing = [words for words, estimate in found if estimate.high < HOLDS]
    if holding:
        return f"Above {HOLDS:g} is shown for: {', '.join(holding)}. There a prediction could be a first screen."
    if len(failing) == len(found) > 0:
        return f"None is above {HOLDS:g}: no prediction replaces an audit."
    return f"Whether any is above {HOLDS:g} is not shown with so many LoRAs."


EXPERIMENT = Experiment(
    name="predict",
    title="Foretelling what is forgotten",
    question="Can what a LoRA damages be foretold before it is audited, from the size of its change, the settings of "
    "its training, and a few dozen rows of the denoiser?",
    jobs=predict_jobs,
    findings=predict_findings,
)
