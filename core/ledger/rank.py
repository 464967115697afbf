"""The order of a ledger's rows: what is worst, and by how much. No torch."""

import math
from collections.abc import Iterable

from ..verdict.size import size
from ..verdict.verdict import WORST_FIRST
from .row import Number, Row


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Return rows by verdict, and within a verdict by how far their worst number is towards or past its limit."""
    return sorted(rows, key=lambda row: (_rank(row), -_severity(row), row.name, row.strength))


def nearest(row: Row) -> Number | None:
    """Return the number of a row that is nearest to its limit, or furthest past it; None where none was judged."""
    judged = [number for number in row.numbers if not math.isnan(_share(number))]
    return max(judged, key=_share, default=None)


def _rank(row: Row) -> int:
    return WORST_FIRST.index(row.verdict) if row.verdict in WORST_FIRST else len(WORST_FIRST)


def _severity(row: Row) -> float:
    number = nearest(row)
    return 0.0 if number is None else max(_share(number), 0.0)


def _share(number: Number) -> float:
    return size(number, number.name).value / number.limit if number.limit else math.nan
