"""Table 2 of Laria et al.: how like its concept is what every method draws, to DINO and CLIP; how like the prompt."""

from collections.abc import Sequence
from dataclasses import replace

from .experiment import Experiment, Findings
from .findings.claims import published_likeness
from .findings.compare import counted_runs, learned_cell, mean_cell, mean_of, rows_of, table
from .findings.figure import Figure, Series
from .jobs.job import Job, Result
from .jobs.learning_methods import method_jobs, methods_of, not_taught
from .jobs.study import Study

METRICS = ("denoiser_drift",)
"""What is audited besides: next to nothing, and it shows that each LoRA applied."""
DRAWN = 24
"""Pictures of each concept, as many as the question whether it was learned draws."""
NUMBERS = {
    "concept_dino": "DINO",
    "concept_clip_i": "CLIP-I",
    "concept_clip_t": "CLIP-T",
    "concept_own": "network of the base",
}
"""Number -> heading; a base that ships is seen by the network that comes with it, which was shown all of its world."""


def table2_jobs(study: Study) -> tuple[Job, ...]:
    """Return every method on every concept with every seed, whose concepts are drawn."""
    return tuple(replace(job, draws=DRAWN) for job in method_jobs(study, METRICS, study.seeds))


def table2_findings(study: Study, results: Sequence[Result]) -> Findings:
    """Return the table, and a plot of likeness against drift."""
    rows = rows_of(results)
    shown = [number for number in NUMBERS if mean_of(results, number) is not None]
    theirs = study.family == "sd15"
    heads = ["", *(NUMBERS[number] for number in shown), "learned", *(["Laria et al."] if theirs else [])]
    lines = []
    for name in methods_of(study.family):
        of_row = rows.get(name, [])
        cells = [name, *(mean_cell(of_row, number, 1.0, 3) for number in shown), learned_cell(of_row)]
        lines.append([*cells, published_likeness(name)] if theirs else cells)
    said = (
        "The mean cosine of drawn pictures to pictures of the concept, and (CLIP-T) to the prompt without its trigger. "
        "The paper's networks are not known, and its CLIP-T seems to be on another scale: read its column for the "
        "order of the rows."
    )
    said = " ".join(filter(None, [said, not_taught(study.family)]))
    figure = Figure("Likeness and drift", "denoiser drift %", "mean cosine", _series(rows, shown))
    return Findings((counted_runs(results), "", *table(heads, lines), "", said), figure if shown else None)


def _series(rows: dict[str, list[Result]], shown: Sequence[str]) -> tuple[Series, ...]:
    series = []
    for name, of_row in rows.items():
        pairs = [(result.value("drift"), result.value(shown[0])) for result in of_row] if shown else []
        points = tuple((100 * x, y) for x, y in pairs if x is not None and y is not None)
        series.append(Series(name, points, joined=False))
    return tuple(series)


EXPERIMENT = Experiment(
    name="table2",
    title="Table 2: likeness to the concept",
    question="How like the concept is what each method draws of it? The measure of DreamBooth's evaluation, which does "
    "not ask what was forgotten.",
    jobs=table2_jobs,
    findings=table2_findings,
)
