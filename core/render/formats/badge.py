"""The verdict as a small picture (SVG), for a model's page: its size is that of the badges beside which it stands."""

from html import escape
from pathlib import Path

from ...disk.files import write_text
from ...verdict.report import Report
from ..pictures.sheet import COLORS
from ..summary import Summary, summary_of
from .format import Format

NAME = "badge.svg"
"""File name of the badge."""
_HEIGHT, _MARGIN, _LETTER = 20, 7, 7.1
"""Pixels: of the whole, beside a text, and of a letter at 11 px, to which `textLength` then fits the text."""
_LABEL = "forgetting"


def write_badge(report: Report, folder: Path) -> Path:
    """Return the path of the badge written into the report's folder."""
    path = Path(folder) / NAME
    write_text(path, render_badge(summary_of(report)))
    return path


def render_badge(summary: Summary) -> str:
    """Return the badge: what it is about on the left, the outcome on the right in the colour of its decision."""
    left, right = _width(_LABEL), _width(summary.outcome)
    said = escape(f"What {summary.lora} made {summary.base} forget: {summary.outcome}. OWF, {summary.footer}.")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" role="img">',
        f"<title>{said}</title>",
        f'<clipPath id="r"><rect width="{left + right}" height="{_HEIGHT}" rx="3"/></clipPath>',
        '<g clip-path="url(#r)">',
        f'<rect width="{left}" height="{_HEIGHT}" fill="#4a4f55"/>',
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{COLORS[summary.decision]}"/></g>',
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">',
        _text(_LABEL, _MARGIN),
        _text(summary.outcome, left + _MARGIN),
        "</g></svg>",
    ]
    return "\n".join(parts) + "\n"


def _width(text: str) -> int:
    return round(_LETTER * len(text)) + 2 * _MARGIN


def _text(text: str, x: int) -> str:
    return f'<text x="{x}" y="14" textLength="{_width(text) - 2 * _MARGIN}">{escape(text)}</text>'


FORMAT = Format("badge", "the verdict as a small SVG, for a model's page", by_default=True, write_one=write_badge)
