"""CSV: one row a LoRA, with every number, for spreadsheets and scripts."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...disk.files import write_text
from ...metrics.measurement import Estimate
from ...metrics.metric import all_metrics
from ...text import cell
from ...verdict.learning import QUANTITIES
from ...verdict.report import Report
from ..audited import Audited
from ..html.overview.overview import overview_name
from .format import Format

_FACTS = ("lora", "verdict", "reason", "sha256", "family", "algorithm", "strength", "base", "preset", "folder")
_ENDS = ("value", "low", "high", "floor")


def write_csv(audits: Sequence[Audited], out: Path) -> Path:
    """Return the path of the table over all LoRAs of a call, written beside their folders."""
    path = Path(out) / Path(overview_name(audits)).with_suffix(".csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, render_csv(audits))
    return path


def render_csv(audits: Sequence[Audited]) -> str:
    """Return one line per LoRA below a header (RFC 4180); no cell is a formula to a spreadsheet.

    A number that was not measured, or an open end of an interval, is an empty cell. Shares are 0 to 1. Where a LoRA was
    compared with pictures of its concept, what it learned stands behind all else.
    """
    keys, learned = list(_keys(audits)), list(_learned_keys(audits))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    heads = [f"{metric}.{estimate}.{end}" for metric, estimate in keys for end in _ENDS]
    heads += ["learned", *(f"learned.{name}.{end}" for name in learned for end in _ENDS)] if learned else []
    table.writerow([*_FACTS, *heads])
    for audit in audits:
        behind = _learning(audit.report, learned) if learned else ()
        table.writerow([*_facts(audit), *_numbers(audit.report, keys), *behind])
    return text.getvalue()


def _keys(audits: Sequence[Audited]) -> Iterator[tuple[str, str]]:
    """Yield every known estimate that one of the reports has, in reading order."""
    seen = [audit.report.measurements for audit in audits if audit.report]
    for metric in all_metrics():
        for estimate in metric.quantities:
            if any(metric.name in found and estimate in found[metric.name].estimates for found in seen):
                yield metric.name, estimate


def _facts(audit: Audited) -> Iterator[str]:
    report = audit.report
    yield from map(cell, (audit.name, audit.decision, audit.reason))
    if report is None:
        yield from [""] * (len(_FACTS) - 3)
        return
    adapter = report.adapter
    yield from map(cell, (adapter.sha256, adapter.family, adapter.algorithm))
    yield f"{adapter.strength:g}"  # a number, and no formula where it is negative
    folder = "" if audit.folder is None else audit.folder.name
    yield from map(cell, (report.base.name, str(report.plan.get("preset", "")), folder))


def _numbers(report: Report | None, keys: Sequence[tuple[str, str]]) -> Iterator[str]:
    for metric, name in keys:
        measurement = None if report is None else report.measurements.get(metric)
        estimate = None if measurement is None else measurement.estimates.get(name)
        yield from _ends(estimate)


def _ends(estimate: Estimate | None) -> Iterator[str]:
    for end in _ENDS:
        number = None if estimate is None else getattr(estimate, end)
        yield "" if number is None or not math.isfinite(number) else repr(number)


def _learned_keys(audits: Sequence[Audited]) -> Iterator[str]:
    """Yield every known number of learning that one of the reports has."""
    seen = [audit.report.learning.estimates for audit in audits if audit.report and audit.report.learning]
    yield from (name for name in QUANTITIES if any(name in found for found in seen))


def _learning(report: Report | None, names: Sequence[str]) -> Iterator[str]:
    learning = None if report is None else report.learning
    yield "" if learning is None else learning.decision
    for name in names:
        yield from _ends(None if learning is None else learning.estimates.get(name))


FORMAT = Format("csv", "one row a LoRA with every number, for spreadsheets", write_all=write_csv)
