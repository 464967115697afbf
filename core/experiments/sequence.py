"""Many concepts: what is lost after each, taught one on top of another or stacked, with drift correction and without.

Continued: every LoRA is trained on the base with the earlier ones in it, and drift correction holds the model that it
begins with; together they are one LoRA whose rank grows. Stacked: every LoRA is trained on the base alone, as people
collect them. What is measured is always the base against all of them together.
"""

from collections.abc import Sequence
from dataclasses import replace

from .experiment import Experiment, Findings
from .findings.compare import SHARE, counted_runs, floor_of, mean_cell, mean_of, plain, rows_of, table
from .findings.figure import Figure, Series
from .jobs.job import CONTINUED, STACKED, Job, Lesson, Result
from .jobs.learning_methods import taught
from .jobs.study import Study

METRICS = ("denoiser_drift", "semantic", "color")
TRIGGERS = ("sks", "ohwx", "hta", "rcn", "httr", "oue", "asot", "ews", "mth", "pll")
"""Words of one token that CLIP's tokenizer knows and captions hardly have; each concept has one of its own."""
TERMS = {"": (), " with drift correction": ("dc",)}
"""How a row's name ends -> preservation terms."""
TAUGHT = "concepts"
"""What is varied: how many concepts were taught."""


def sequence_jobs(study: Study) -> tuple[Job, ...]:
    """Return every beginning of the sequence of concepts, in both ways, with and without drift correction."""
    study.require_concepts(2, len(TRIGGERS))
    return tuple(
        Job(f"{way}{end}", seed, _lessons(study, seed, terms)[:count], METRICS, way, ((TAUGHT, float(count)),))
        for seed in range(study.seeds)
        for way in (CONTINUED, STACKED)
        for end, terms in TERMS.items()
        for count in range(1, len(study.concepts) + 1)
    )


def _lessons(study: Study, seed: int, terms: tuple[str, ...]) -> tuple[Lesson, ...]:
    plans = [
        replace(taught(study, concept, seed, terms), trigger=TRIGGERS[place])
        for place, concept in enumerate(study.concepts)
    ]
    return tuple(Lesson(concept.name, plan) for concept, plan in zip(study.concepts, plans, strict=True))


SHOWN = (("drift", "denoiser drift %", SHARE, 2), ("accuracy_drop", "accuracy lost, points", SHARE, 1),
         ("cdi", "CDI, Delta-E", 1.0, 1))  # fmt: skip
"""Number of a report, heading, factor, digits."""


def sequence_findings(study: Study, results: Sequence[Result]) -> Findings:
    """Return one table for each number: a row for each way, a column after each concept; and the curves of drift."""
    rows = rows_of(results)
    counts = sorted({result.at[TAUGHT] for result in results})
    names = [concept.name for concept in study.concepts]
    lines = [f"In this order: {', '.join(names)}. {counted_runs(results)}"]
    for number, head, factor, digits in SHOWN:
        cells = [
            [row, *(mean_cell(after(of_row, count), number, factor, digits) for count in counts)]
            for row, of_row in rows.items()
        ]
        floor = plain(floor_of(results, number, factor), digits)
        lines += ["", *table([f"{head} (floor {floor})", *(f"after {count:g}" for count in counts)], cells)]
    series = tuple(Series(row, _points(of_row, counts)) for row, of_row in rows.items())
    return Findings(tuple(lines), Figure("Many concepts", "concepts taught", "denoiser drift %", series))


def after(results: Sequence[Result], count: float) -> list[Result]:
    """Return what was measured after so many concepts."""
    return [result for result in results if result.at[TAUGHT] == count]


def _points(results: Sequence[Result], counts: Sequence[float]) -> tuple[tuple[float, float], ...]:
    found = [(count, mean_of(after(results, count), "drift", SHARE)) for count in counts]
    return ((0.0, 0.0), *((count, mean.value) for count, mean in found if mean is not None))


EXPERIMENT = Experiment(
    name="sequence",
    title="Many concepts in sequence",
    question="How does what is forgotten grow with every concept that is taught, on top of the earlier ones or in a "
    "stack of LoRAs?",
    jobs=sequence_jobs,
    findings=sequence_findings,
)
