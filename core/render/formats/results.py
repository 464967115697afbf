"""CSV over a run: one line for each LoRA and strength of its ledger, with every number."""

import csv
import math
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from ...disk.files import write_text
from ...ledger.row import Number
from ...metrics.metric import all_metrics
from ...text import cell
from .format import Format, Rows

NAME = "results.csv"
Key = tuple[str, str]
"""Metric and estimate."""
FACTS = (
    "name", "strength", "stack", "verdict", "status", "reason", "policy", "sha256", "family", "algorithm", "base",
    "preset", "folder", "attempts", "started", "seconds",
)  # fmt: skip
ENDS = ("value", "low", "high", "floor", "limit")


def write_results(rows: Rows, out: Path) -> Path:
    """Return the path of the table written into the run's folder."""
    write_text(out / NAME, "".join(_lines(rows)))
    return out / NAME


def _lines(rows: Rows) -> Iterator[str]:
    """Yield the lines (RFC 4180); no cell is a formula to a spreadsheet, and a number that is none is an empty cell."""
    keys = numbers_of(rows)
    text = StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow([*FACTS, "worst", *(f"{metric}.{name}.{end}" for metric, name in keys for end in ENDS)])
    for row in rows():
        numbers = {(n.metric, n.name): n for n in row.numbers}
        facts = (_fact(getattr(row, name)) for name in FACTS)
        lost = "; ".join(f"{label} {loss:.3g}" for label, loss in row.worst.items())
        table.writerow([*facts, cell(lost), *(_end(numbers.get(key), end) for key in keys for end in ENDS)])
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def numbers_of(rows: Rows) -> list[Key]:
    """Return every known estimate that one of the rows has, in reading order."""
    seen = {(n.metric, n.name) for row in rows() for n in row.numbers}
    return [(m.name, name) for m in all_metrics() for name in m.quantities if (m.name, name) in seen]


def _fact(value: object) -> str:
    """Return a fact as a cell: a number as it is, a sign in front of it and all; a text so that it is no formula."""
    return f"{value:g}" if isinstance(value, (float, int)) else cell(str(value))


def _end(number: Number | None, end: str) -> str:
    value = None if number is None else getattr(number, end)
    return "" if value is None or not math.isfinite(value) else repr(float(value))


FORMAT = Format(
    "results",
    "one line for each LoRA and strength of a run, with every number",
    by_default=True,
    write_run=write_results,
    run_file=NAME,
)
