"""Charts as one picture, for graphs that save or send what they saw."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...verdict.part import IN_PART
from .lettering import font, plain, wrapped

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from ..heat_map import HeatMap, Row

WIDTH, MARGIN, ROW = 960, 32, 76
"""Pixels; a row holds words above a bar."""
PAPER, INK, FAINT, TRACK = "#ffffff", "#1c1f24", "#6a717c", "#e6e8ec"
COLORS = {
    "PASS": "#1d7f45",
    "DRIFT": "#c22f2f",
    "INCONCLUSIVE": "#9a6a00",
    "INVALID": "#6a717c",
    "NO ALARM": "#6a717c",
    IN_PART: "#6a717c",
    "": "#2d62b8",
}
"""Decision -> colour of its badge and its bars; those that decide nothing are grey."""
_FLOOR = "#c6cbd3"


def chart_sheet(title: str, badge: str, lines: Sequence[str], bars: Sequence[dict[str, Any]]) -> "Image":
    """Return a badge, a few sentences and one bar an estimate (see `render.bars.bar`) as an RGB picture."""
    from PIL import Image, ImageDraw

    sentences = [part for line in lines for part in wrapped(line, 17, WIDTH - 2 * MARGIN)]
    top = MARGIN + 84 + 24 * len(sentences) + 16
    picture = Image.new("RGB", (WIDTH, top + ROW * len(bars) + MARGIN), PAPER)
    draw = ImageDraw.Draw(picture)
    _draw_head(draw, title, badge, sentences)
    for index, bar in enumerate(bars):
        _draw_bar(draw, bar, top + ROW * index)
    return picture


def _draw_head(draw: "ImageDraw", title: str, badge: str, lines: Sequence[str]) -> None:
    large = font(24)
    width = large.getlength(badge) + 32
    draw.rounded_rectangle((MARGIN, MARGIN, MARGIN + width, MARGIN + 44), 8, fill=COLORS.get(badge, COLORS[""]))
    draw.text((MARGIN + 16, MARGIN + 8), badge, PAPER, large)
    draw.text((MARGIN + width + 16, MARGIN + 12), plain(title)[:70], INK, font(19))
    for index, line in enumerate(lines):
        draw.text((MARGIN, MARGIN + 66 + 24 * index), line, INK, font(17))


def _draw_bar(draw: "ImageDraw", bar: dict[str, Any], top: int) -> None:
    color, at = COLORS.get(bar["state"], COLORS[""]), {name: _x(share) for name, share in bar["at"].items()}
    draw.text((MARGIN, top), plain(f"{bar['title']}: {bar['value']}"), INK, font(18))
    draw.text((WIDTH - MARGIN, top + 2), plain(_caption(bar)), FAINT, font(15), anchor="ra")
    y = top + 40
    draw.rounded_rectangle((MARGIN, y - 7, WIDTH - MARGIN, y + 7), 4, fill=TRACK)
    if "floor" in at:
        draw.rectangle(
            (*sorted((at["zero"], at["floor"]))[:1], y - 7, max(at["zero"], at["floor"]), y + 7), fill=_FLOOR
        )
    draw.line((at["low"], y, at["high"], y), color, 5)
    draw.ellipse((at["value"] - 8, y - 8, at["value"] + 8, y + 8), fill=color)
    draw.text((MARGIN, y + 11), plain(bar["note"]), FAINT, font(14))
    if "limit" in at:
        draw.line((at["limit"], y - 14, at["limit"], y + 14), INK, 3)


def _caption(bar: dict[str, Any]) -> str:
    parts = [f"95 % interval {bar['interval']}"]
    parts += [f"{word} {bar[name]}" for name, word in (("floor", "floor"), ("limit", bar["limit_word"])) if bar[name]]
    return ", ".join(parts)


def _x(share: float) -> float:
    return MARGIN + (WIDTH - 2 * MARGIN) * share / 100


_HEAT = ("#f3f4f6", "#dbe7f7", "#a9c8ef", "#6b9fe0", "#2d62b8")
_CELL, _LABEL = 104, 230


def heat_sheet(title: str, heat: "HeatMap") -> "Image":
    """Return blocks of a network by kinds of layer as an RGB picture, each cell with its number."""
    from PIL import Image, ImageDraw

    width = max(WIDTH // 2, 2 * MARGIN + _LABEL + _CELL * len(heat.kinds))
    picture = Image.new("RGB", (width, 2 * MARGIN + 72 + 28 * len(heat.rows)), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((MARGIN, MARGIN - 8), plain(title)[:60], INK, font(19))
    for column, kind in enumerate(heat.kinds):
        draw.text((_column(column) + _CELL / 2, MARGIN + 48), plain(kind), FAINT, font(13), anchor="ms")
    for index, row in enumerate(heat.rows):
        _draw_row(draw, row, MARGIN + 60 + 28 * index)
    return picture


def _column(index: int) -> int:
    return MARGIN + _LABEL + _CELL * index


def _draw_row(draw: "ImageDraw", row: "Row", top: int) -> None:
    draw.text((MARGIN, top + 4), plain(f"{row.component} {row.title}")[:30], INK, font(14))
    for column, cell in enumerate(row.cells):
        left = _column(column)
        if cell is None:
            continue
        level = max(cell.level, 0)
        draw.rectangle((left, top, left + _CELL - 3, top + 25), fill=_HEAT[level])
        color = PAPER if level == len(_HEAT) - 1 else INK
        draw.text((left + _CELL / 2, top + 18), plain(cell.text), color, font(14), anchor="ms")
