"""Table 1 of Laria et al.: zero-shot accuracy of every method, and the mean of each concept's worst class drop."""

from collections.abc import Sequence

from ..plan.presets import PAPER
from .experiment import Experiment, Findings
from .findings.claims import BASE, published_accuracy
from .findings.compare import SHARE, counted_runs, floor_of, learned_cell, mean_cell, mean_of, plain, rows_of, table
from .findings.figure import Figure, Series
from .jobs.job import Job, Result
from .jobs.learning_methods import METHODS, method_jobs, methods_of, not_taught
from .jobs.study import Study

METRICS = ("denoiser_drift", "semantic")
"""What is measured: the table's own metric, and the drift that costs next to nothing beside it."""


def table1_jobs(study: Study) -> tuple[Job, ...]:
    """Return every method on every concept with every seed."""
    return method_jobs(study, METRICS, study.seeds)


def table1_findings(study: Study, results: Sequence[Result]) -> Findings:
    """Return the table, each accuracy with the worst class drop in brackets, and a plot of what is lost."""
    rows = rows_of(results)
    asked = study.asked
    theirs = study.family == "sd15" and asked.preset == PAPER and bool(asked.dataset) and not asked.per_class
    heads = ["", "accuracy % (worst class drop)", "accuracy lost, points", "denoiser drift %", "learned"]
    heads += ["Laria et al."] if theirs else []
    base = f"{plain(_mean(results, 'accuracy_base'), 1)} ({_floor(results, 'worst_class_drop', 0)})"
    floors = [_floor(results, "accuracy_drop", 1), _floor(results, "drift", 2)]
    lines = [_with([BASE, base, *floors, ""], BASE, study, theirs)]
    for name in methods_of(study.family):
        of_row = rows.get(name, [])
        worst = mean_cell(of_row, "worst_class_drop", SHARE, 0)
        cells = [
            name,
            f"{mean_cell(of_row, 'accuracy_tuned', SHARE, 1)} ({worst})",
            mean_cell(of_row, "accuracy_drop", SHARE, 1),
            mean_cell(of_row, "drift", SHARE, 2),
            learned_cell(of_row),
        ]
        lines.append(_with(cells, name, study, theirs))
    said = (
        "In brackets the mean over the runs of each one's worst class drop, in points; floors are what the base shows "
        "against itself with other noise. DB and CD have prior preservation, \\pr leaves it out; weights, steps and "
        "rates are ours."
    )
    said = " ".join(filter(None, [said, not_taught(study.family)]))
    return Findings((counted_runs(results), "", *table(heads, lines), "", said), _figure(rows))


def _with(cells: list[str], row: str, study: Study, theirs: bool) -> list[str]:
    return [*cells, published_accuracy(row, study.asked.dataset)] if theirs else cells


def _mean(results: Sequence[Result], name: str) -> float | None:
    found = mean_of(results, name, SHARE)
    return None if found is None else found.value


def _floor(results: Sequence[Result], name: str, digits: int) -> str:
    return f"floor {plain(floor_of(results, name, SHARE), digits)}"


def _figure(rows: dict[str, list[Result]]) -> Figure:
    series = []
    for place, name in enumerate(METHODS):
        found = mean_of(rows.get(name, []), "accuracy_drop", SHARE)
        if found is not None:
            span = ((found.low, found.high),) if found.n > 1 else ()
            series.append(Series(name, ((float(place), found.value),), spans=span))
    return Figure("Zero-shot accuracy lost", "method", "points", tuple(series), tuple(METHODS))


EXPERIMENT = Experiment(
    name="table1",
    title="Table 1: zero-shot accuracy of every method",
    question="What does each method forget? Every method teaches every concept; the model then names what labelled "
    "images show. The rows are those of the paper as far as they are known.",
    jobs=table1_jobs,
    findings=table1_findings,
)
