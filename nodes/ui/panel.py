"""What a node's panel in the browser shows of a report: texts made here, positions in percent, addresses of files."""

from pathlib import Path
from typing import Any

from ...core.render import words
from ...core.render.bars import bars
from ...core.text import inert
from ...core.verdict.report import ImagePair, Report
from ..backend.places import view_url
from .wording import in_graph

PAIRS = 8
"""Image pairs that the panel offers, the most changed first."""
REASONS = 3


def report_panel(report: Report, folder: Path) -> dict[str, Any]:
    """Return the panel of a report that lies in `folder`, as plain data."""
    decision = report.verdict.decision
    return {
        "kind": "report",
        "verdict": decision,
        "symbol": words.SYMBOLS.get(decision, words.MISSING),
        "sentence": words.SENTENCES.get(decision, ""),
        "reasons": reasons(report),
        "title": f"{inert(report.adapter.name)} on {inert(report.base.name)}",
        "bars": bars(report),
        "pairs": [_pair(pair, folder) for pair in report.pairs[:PAIRS] if _is_inside(pair, folder)],
        "report": view_url(folder / "report.html"),
    }


def reasons(report: Report) -> list[str]:
    """Return the verdict's first reasons, with what the graph has for the settings that would help."""
    return [inert(reason, 400) for reason in report.verdict.worded(in_graph)[:REASONS]]


def _is_inside(pair: ImagePair, folder: Path) -> bool:
    """Return whether both pictures lie below the report, which may come from a stranger."""
    names = (pair.base, pair.tuned)
    return not any("\0" in name for name in names) and all(
        (folder / name).resolve().is_relative_to(folder.resolve()) for name in names
    )


def _pair(pair: ImagePair, folder: Path) -> dict[str, str]:
    return {
        "prompt": inert(pair.prompt, 200),
        "change": f"{words.number(pair.change, decimals=1)} ΔE",
        "base": view_url(folder / pair.base),
        "tuned": view_url(folder / pair.tuned),
    }
