"""The three experiments that the paper names first: DreamBooth on a few pictures, then what is still known.

Zero-shot accuracy after DreamBooth; the same with drift correction; the Color Drift Index between base and tuned model
over images of common concepts, 1,000 of them under the preset `paper` (of the demo base 450). DreamBooth has its prior
preservation, as the rows DB and DB-DC of the tables have.
"""

from collections.abc import Sequence

from .experiment import Experiment, Findings
from .findings.compare import SHARE, counted_runs, floor_of, learned_cell, mean_cell, mean_of, plain, rows_of, table
from .findings.figure import Figure, Series
from .jobs.job import Job, Lesson, Result
from .jobs.learning_methods import method_plan
from .jobs.study import Study

METRICS = ("denoiser_drift", "semantic", "color", "kid")
"""What the paper names as signs of failure: accuracy, colours and KID."""
ROWS = {"DreamBooth": "DB", "DreamBooth with drift correction": "DB-DC"}
"""Row -> what the tables call it."""
SHOWN = (("accuracy_drop", "accuracy lost, points", SHARE, 1), ("worst_class_drop", "worst class, points", SHARE, 0),
         ("cdi", "CDI, Delta-E", 1.0, 1), ("kid", "KID x 1000", 1000.0, 2))  # fmt: skip
"""Number of a report, heading, factor, digits."""
PICTURES = 5
"""Pictures that are learned from."""


def first3_jobs(study: Study) -> tuple[Job, ...]:
    """Return both trainings on five pictures of every concept with every seed."""
    return tuple(
        Job(row, seed, (Lesson(concept.name, method_plan(study, concept, seed, method), PICTURES),), METRICS)
        for seed in range(study.seeds)
        for concept in study.concepts
        for row, method in ROWS.items()
    )


def first3_findings(study: Study, results: Sequence[Result]) -> Findings:
    """Return what both trainings lose, beside the floors."""
    rows = rows_of(results)
    heads = ["", "learned", "accuracy %", *(head for _, head, _, _ in SHOWN)]
    lines = [["base against itself", "", _base(results), *(_floor(results, n, f, d) for n, _, f, d in SHOWN)]]
    for name in ROWS:
        of_row = rows.get(name, [])
        numbers = [mean_cell(of_row, number, factor, digits) for number, _, factor, digits in SHOWN]
        lines.append([name, learned_cell(of_row), mean_cell(of_row, "accuracy_tuned", SHARE, 1), *numbers])
    series = tuple(Series(name, _points(of_row), joined=False) for name, of_row in rows.items())
    figure = Figure("What DreamBooth forgets", "CDI, Delta-E", "accuracy lost, points", series)
    return Findings((counted_runs(results), "", *table(heads, lines)), figure)


def _base(results: Sequence[Result]) -> str:
    found = mean_of(results, "accuracy_base", SHARE)
    return plain(None if found is None else found.value, 1)


def _floor(results: Sequence[Result], name: str, factor: float, digits: int) -> str:
    return plain(floor_of(results, name, factor), digits)


def _points(results: Sequence[Result]) -> tuple[tuple[float, float], ...]:
    pairs = [(result.value("cdi"), result.value("accuracy_drop")) for result in results]
    return tuple((x, SHARE * y) for x, y in pairs if x is not None and y is not None)


EXPERIMENT = Experiment(
    name="first3",
    title="The first experiments: what DreamBooth on five pictures forgets",
    question="How much zero-shot accuracy is lost after DreamBooth on five pictures, how much with drift correction, "
    "and how far do colours move in pictures of common things?",
    jobs=first3_jobs,
    findings=first3_findings,
)
