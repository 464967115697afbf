"""The panel of two audits beside each other, as plain data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...core.render import words
from ...core.render.audited import Audited, estimate_of, judgement_of
from ...core.render.bars import beside
from ...core.text import inert
from ...core.verdict.comparison import Compared, Comparison, common_pairs
from ...core.verdict.report import Report
from ..backend.places import view_url
from .panel import PAIRS, UNKNOWN, is_inside, pair_data

NUMBERS = 12
"""Numbers that the panel shows; the page has all."""


def compared_panel(audits: Sequence[Audited], comparison: Comparison, sentence: str, page: Path) -> dict[str, Any]:
    """Return the panel of two audits, whose page side by side lies at `page`; `sentence` says which is the milder."""
    sides = [(audit.report, audit.folder) for audit in audits if audit.report and audit.folder]
    reports = [report for report, _ in sides]
    return {
        "kind": "compared",
        "title": f"{' and '.join(inert(audit.name, 60) for audit in audits)} on {inert(reports[0].base.name)}",
        "notes": [inert(sentence, 400)],
        "sides": [_side(audit) for audit in audits],
        "numbers": [_number(each, reports) for each in comparison.numbers[:NUMBERS]],
        "pairs": _pairs(sides),
        "report": view_url(page),
    }


def _side(audit: Audited) -> dict[str, str]:
    return {
        "name": inert(audit.name, 120),
        "verdict": audit.shown_decision,
        "state": audit.shown_decision or UNKNOWN,
        "outcome": audit.outcome,
        "symbol": words.SYMBOLS.get(audit.shown_decision, words.MISSING),
        "report": "" if audit.folder is None else view_url(audit.folder / "report.html"),
    }


def _number(compared: Compared, reports: Sequence[Report]) -> dict[str, Any]:
    seen = [(estimate_of(report, compared.key), judgement_of(report, compared.key)) for report in reports]
    return {
        "title": words.estimate_title(compared.key[1]),
        "difference": "" if compared.difference is None else words.difference(compared.difference),
        "milder": compared.milder,
        "bars": beside(compared.key[1], seen),
    }


def _pairs(sides: Sequence[tuple[Report, Path]]) -> list[list[dict[str, str]]]:
    """Return the pictures of the same prompt and seed that both reports show, the most changed first."""
    rows = [list(zip(row, sides, strict=True)) for row in common_pairs([report for report, _ in sides])]
    shown = [[(pair, folder) for pair, (_, folder) in row if pair and is_inside(pair, folder)] for row in rows]
    return [[pair_data(pair, folder) for pair, folder in row] for row in shown if len(row) == len(sides)][:PAIRS]
