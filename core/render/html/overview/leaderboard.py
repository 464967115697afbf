"""One self-contained page over all rows of a run's ledger; the script draws the lines that are in sight.

The numbers stand in the page as JSON: 10,000 lines as elements would take seconds to open, and as data take none.
"""

import base64
import bisect
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from ....disk.files import write_text
from ....ledger.rank import worst_first
from ....ledger.row import Number, Row
from ....ledger.sweep import sweeps
from ....text import inert
from ....verdict.size import size
from ... import words
from ..html import NAME as REPORT
from ..number import STATES, Count, counts
from ..page import render_page

NAME = "leaderboard.html"
"""File name in a run's folder."""
Key = tuple[str, str]
"""Metric and estimate."""
Group = tuple[str, str, float, str, Key]
"""Family, plan, strength, stack and number."""


@dataclass(frozen=True)
class Column:
    """One number of all rows."""

    title: str
    unit: str


@dataclass(frozen=True)
class Leaderboard:
    """Everything on the page."""

    title: str
    state: str
    counts: list[Count]
    columns: list[Column]
    choices: dict[str, list[str]]
    """Column to choose by -> its values."""
    data: Markup
    """The rows as JSON."""
    thumbnails: Markup
    """The pictures as JSON, by the row's number."""


def write_leaderboard(rows: Any, out: Path) -> Path:
    """Return the path of the page written into the run's folder."""
    write_text(out / NAME, render_leaderboard(list(rows())))
    return out / NAME


def render_leaderboard(rows: Sequence[Row]) -> str:
    """Return the page; links lead to reports below its folder."""
    page = ("report.css", "overview.css", "leaderboard.css")
    return render_page("leaderboard.html.j2", leaderboard(rows), page, ("leaderboard.js",))


def leaderboard(rows: Sequence[Row]) -> Leaderboard:
    """Return the page's content, the worst first."""
    rows = worst_first(rows)
    keys = _keys(rows)
    passing = {row.key: sweep.shown() for sweep in sweeps(rows) for row in sweep.rows}
    lines = zip(rows, _percentiles(rows, keys), strict=True)
    data = {
        "rows": [_line(row, keys, places, passing.get(row.key, "")) for row, places in lines],
        "states": STATES,
        "symbols": words.SYMBOLS,
    }
    pictures = {i: base64.b64encode(row.thumbnail).decode() for i, row in enumerate(rows) if row.thumbnail}
    return Leaderboard(
        title=words.inert(f"{len(rows):,} audits" if len(rows) != 1 else "1 audit"),
        state=STATES.get(rows[0].verdict, "none") if rows else "none",
        counts=counts(row.verdict for row in rows),
        columns=[Column(words.estimate_title(name), _unit(rows, (metric, name))) for metric, name in keys],
        choices={
            "Verdict": sorted({row.verdict for row in rows}),
            "Family": sorted({inert(row.family or "unknown") for row in rows}),
            "Base": sorted({inert(row.base or "none") for row in rows}),
        },
        data=_json(data),
        thumbnails=_json(pictures),
    )


def _keys(rows: Iterable[Row]) -> list[Key]:
    """Return the numbers that a limit judges in any row, in reading order."""
    judged = {(n.metric, n.name) for row in rows for n in row.numbers if n.decision}
    return sorted(judged, key=lambda key: (words.metric_order(key[0]), key[1]))


def _unit(rows: Iterable[Row], key: Key) -> str:
    units = (n.unit for row in rows for n in row.numbers if (n.metric, n.name) == key)
    return words.unit_word(next(units, ""), key[1])


def _percentiles(rows: Sequence[Row], keys: Sequence[Key]) -> list[list[int | None]]:
    """Return for each number the share of other LoRAs of its group that have a smaller one, in percent.

    None where there is no number, or nothing to compare it with. A change that may go either way counts by its size.
    """
    groups: defaultdict[Group, dict[str, float]] = defaultdict(dict)
    for row in rows:
        for n in row.numbers:
            if not math.isnan(n.value):  # copies are one LoRA
                groups[_group(row, (n.metric, n.name))][row.sha256 or row.name] = size(n, n.name).value
    values = {group: sorted(found.values()) for group, found in groups.items()}
    return [[_percentile(_number(row, key), values.get(_group(row, key), [])) for key in keys] for row in rows]


def _group(row: Row, key: Key) -> Group:
    """Return what rows share whose numbers may be compared: half the strength makes no LoRA the milder one."""
    return row.family, row.plan_digest, row.strength, row.stack, key


def _percentile(number: Number | None, values: Sequence[float]) -> int | None:
    if number is None or len(values) < 2 or math.isnan(number.value):
        return None
    others = len(values) - 1
    return round(100 * min(bisect.bisect_left(values, size(number, number.name).value), others) / others)


def _number(row: Row, key: Key) -> Number | None:
    return next((n for n in row.numbers if (n.metric, n.name) == key), None)


def _line(row: Row, keys: Sequence[Key], places: Sequence[int | None], passing: str) -> list[Any]:
    """Return what the script needs of a row; it is short, for there are thousands; `passing` is of its strengths."""
    lost = ", ".join(f"{inert(label, 40)} {words.number(loss, 'share')}" for label, loss in row.worst.items())
    numbers = [_cell(_number(row, key), place) for key, place in zip(keys, places, strict=True)]
    return [
        inert(row.name, 120) + row.applied,
        _href(row),
        row.verdict,
        inert(row.family or "unknown"),
        inert(row.base or "none"),
        inert(lost or row.reason, 160),
        inert(row.algorithm, 40),
        numbers,
        passing,
    ]


def _cell(number: Number | None, place: int | None) -> list[Any] | None:
    if number is None or math.isnan(number.value):
        return None
    shown = words.number(number.value, number.unit)
    interval = words.interval(number.low, number.high, number.unit)
    order = number.value if math.isfinite(number.value) else math.copysign(1e300, number.value)
    return [order, shown, interval, number.decision, place]


def _href(row: Row) -> str:
    """Return the address of a row's report relative to the page; "" for one that does not lie below it."""
    folder = row.folder_below
    return "" if folder is None else quote((folder / REPORT).as_posix().encode("utf-8", "replace"))


def _json(value: Any) -> Markup:
    """Return JSON that no text in it can end: every < is spelled out, so the page sees no tag."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
