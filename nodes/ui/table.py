"""Panels over several audits: a line for each, and curves against the strength."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...core.ledger.rank import nearest
from ...core.ledger.row import Number, Row
from ...core.ledger.sweep import Sweep
from ...core.render import words
from ...core.render.audited import estimate_of, headlines, judgement_of
from ...core.render.bars import bar
from ...core.text import counted, inert
from ...core.verdict.part import IN_PART
from ...core.verdict.report import Report
from ...core.verdict.verdict import NO_ALARM
from ..backend import places
from .panel import UNKNOWN, unjudged_notes

if TYPE_CHECKING:
    from PIL.Image import Image

LINES = 60
"""Lines that a panel shows; the pages in output/owf have all."""


def row_line(row: Row, name: str) -> dict[str, str]:
    """Return one audit as plain data: its verdict, the number nearest to its limit, and where its report lies."""
    number = nearest(row)
    return {
        "name": inert(name, 120),
        "verdict": row.verdict,
        "badge": IN_PART if row.unjudged else row.verdict,
        "state": UNKNOWN if row.unjudged else row.verdict,
        "symbol": words.MISSING if row.unjudged else words.SYMBOLS.get(row.verdict, words.MISSING),
        "text": inert(row.reason, 120) if number is None else f"{words.estimate_title(number.name)} {_shown(number)}",
        "reason": inert(row.reason, 300),
        "report": _page(row),
    }


def _shown(number: Number) -> str:
    return words.quantity(number.value, number.unit, number.name)


def _page(row: Row) -> str:
    """Return the address of a row's full report; "" for one that lies elsewhere."""
    folder = row.folder_below
    return "" if folder is None else places.view_url(places.reports_folder() / folder / "report.html")


def _unjudged(rows: Sequence[Row]) -> list[str]:
    """Return of what a PASS among rows says nothing; they are asked alike."""
    return unjudged_notes(next((row.unjudged for row in rows if row.unjudged), ()))


def ranking_panel(base: str, lines: Sequence[dict[str, str]], rows: Sequence[Row], known: int) -> dict[str, Any]:
    """Return the panel of many LoRAs on one base, `known` of which were known before: measured, or refused."""
    notes = [f"{known} of {len(lines)} were known before."] if known else []
    notes += _unjudged(rows)
    if len(lines) > LINES:
        notes.append(f"The {LINES} worst of {len(lines)}; leaderboard.html in output/owf has all.")
    return {
        "kind": "table",
        "title": f"{counted(len(lines), 'LoRA')} on {inert(base)}",
        "notes": notes,
        "rows": list(lines[:LINES]),
    }


def sweep_panel(lora: str, sentence: str, lines: Sequence[dict[str, str]], rows: Sequence[Row]) -> dict[str, Any]:
    """Return the panel of one LoRA at several strengths."""
    most = max((abs(row.strength) for row in rows), default=1.0)
    head = {"kind": "table", "title": inert(lora, 120), "notes": [sentence, *_unjudged(rows)], "rows": list(lines)}
    return {**head, "most": most, "curves": _curves(rows)}


def _curves(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return each number that has a limit against the strength, in the units in which it is shown.

    Of strengths of both signs those above 0 are drawn: what a LoRA does the other way is another curve. A change that
    may go either way is drawn by how far it went, as its limit sees it, and its last value is said with its sign.
    """
    signed = {(row.strength, n.metric, n.name): n for row in rows for n in row.numbers}
    found = []
    for curve in sorted(Sweep(tuple(rows)).curves, key=lambda curve: (words.metric_order(curve.key[0]), curve.key[1])):
        last = curve.numbers[-1]
        scale = words.scale_of(last.unit)
        points = [[abs(at), scale * n.value] for at, n in zip(curve.strengths, curve.numbers, strict=True)]
        found.append(
            {
                "title": words.estimate_title(last.name),
                "points": [point for point in points if math.isfinite(point[1])],
                "limit": None if last.limit is None else scale * last.limit,
                "silent": all(n.decision == NO_ALARM for n in curve.numbers),
                "last": _shown(signed[(curve.strengths[-1], *curve.key)]),
            }
        )
    return found


def sweep_chart(lora: str, sentence: str, reports: Sequence[tuple[float, Report | None]]) -> "Image":
    """Return the first number of all reports at each strength as a picture."""
    from ...core.render.pictures.sheet import chart_sheet

    keys = headlines(report for _, report in reports if report is not None)[:1]
    bars = []
    for strength, report in reports:
        for key in keys:
            estimate = None if report is None else estimate_of(report, key)
            if report is not None and estimate is not None:
                made = bar(key[1], estimate, judgement_of(report, key))
                bars.append({**made, "title": f"{made['title']} at {strength:g}"})
    return chart_sheet(lora, "strengths", [sentence], bars)
