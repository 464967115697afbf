"""The course of a training as a picture: loss, drift and the weight of drift correction. Pillow alone, no torch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .lettering import font

if TYPE_CHECKING:
    from PIL import Image

    from ...train.records import StepRecord

WIDTH, PANEL = 900, 230
"""Pixels of the picture's width and of one panel's height."""
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 40, 30
"""Margins of the axes within a panel."""
INK, FAINT, GRID = "#20242b", "#7a828e", "#e4e7eb"
BLUE, PALE, RED, GREEN, ORANGE = "#2463b0", "#c6d7ec", "#c8372d", "#2d8a4e", "#b8690f"
SMOOTHING = 40
"""Steps, at most, over which the loss is averaged in the picture."""


@dataclass(frozen=True)
class Line:
    """One curve."""

    points: Sequence[tuple[float, float]]
    """(step, value), steps ascending."""
    color: str
    """Its colour."""
    label: str = ""
    """Its name in the legend; empty leaves it out."""
    width: int = 2
    """Its width in pixels."""
    dots: bool = False
    """Whether each point is marked."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    """What is shown."""
    lines: Sequence[Line]
    """Its curves, the first drawn first."""
    text: Callable[[float], str]
    """How a value is written at the axis."""


def write_curves(records: "Sequence[StepRecord]", folder: Path, name: str, budget: float = 0.0) -> Path | None:
    """Return the path of `<folder>/<name>.curves.png`; None where nothing was recorded."""
    if not records:
        return None
    path = folder / f"{name}.curves.png"
    draw_curves(records, budget).save(path, optimize=True)
    return path


def draw_curves(records: "Sequence[StepRecord]", budget: float = 0.0) -> "Image.Image":
    """Return a picture of the training: loss, smoothed; drift, where it was measured; gain and weight of dc, if any.

    `budget` (0: none) is drawn as a line through the drift. Raises ValueError where there is no record.
    """
    from PIL import Image, ImageDraw

    if not records:
        raise ValueError("there is nothing to draw")
    panels = _panels(records, budget)
    picture = Image.new("RGB", (WIDTH, PANEL * len(panels)), "white")
    pen = ImageDraw.Draw(picture)
    span = min(0, records[0].step - 1), max(records[-1].step, 1)
    for number, panel in enumerate(panels):
        _draw_panel(pen, panel, span, PANEL * number)
    return picture


def _panels(records: "Sequence[StepRecord]", budget: float) -> list[Panel]:
    panels = [_loss_panel(records)]
    drift = [(r.step, r.drift) for r in records if r.drift is not None]
    if drift:
        lines = [Line(drift, RED, "held-out prompts", dots=True)]
        if budget:
            limit = [(0, budget), (records[-1].step, budget)]
            lines.insert(0, Line(limit, INK, f"budget {_percent(budget)}", 1))
        panels.append(Panel("Denoiser drift", lines, _percent))
    gain = [(r.step, r.gain) for r in records if r.gain is not None]
    if gain:
        panels.append(Panel("Fall of the concept's loss below the base's", [Line(gain, BLUE, dots=True)], _percent))
    weight = [(r.step, r.weights["dc"]) for r in records if "dc" in r.weights]
    if weight:
        panels.append(Panel("Weight of drift correction", [Line(weight, GREEN)], _number))
    return panels


def _loss_panel(records: "Sequence[StepRecord]") -> Panel:
    raw = [(r.step, r.loss) for r in records if math.isfinite(r.loss)]
    lines = [Line(raw, PALE, "each step", 1), Line(_averaged(raw), BLUE, "average")]
    validation = [(r.step, r.validation) for r in records if r.validation is not None]
    if validation:
        lines.append(Line(validation, ORANGE, "held-out pictures", dots=True))
    return Panel("Loss on the concept", lines, _number)


def _averaged(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the mean over the last steps, fewer at the beginning."""
    window = max(1, min(SMOOTHING, len(points) // 5))
    sums = [0.0]
    for _, value in points:
        sums.append(sums[-1] + value)
    firsts = [max(0, i + 1 - window) for i in range(len(points))]
    return [
        (step, (sums[i + 1] - sums[a]) / (i + 1 - a))
        for i, ((step, _), a) in enumerate(zip(points, firsts, strict=True))
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"


def _number(value: float) -> str:
    return f"{value:.3g}"


def _draw_panel(pen: Any, panel: Panel, span: tuple[float, float], top: int) -> None:
    values = [value for line in panel.lines for _, value in line.points]
    ticks = ticks_over(min([0.0, *values]), max(values, default=1.0))
    low, high = ticks[0], ticks[-1]
    bottom, ceiling = top + PANEL - BOTTOM, top + TOP

    def place(step: float, value: float) -> tuple[float, float]:
        across = (step - span[0]) / (span[1] - span[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), bottom - (value - low) / (high - low) * (bottom - ceiling)

    pen.text((LEFT, top + 12), panel.title, INK, font(15))
    _draw_axes(pen, panel, ticks, span, place)
    for line in panel.lines:
        _draw_line(pen, line, place)
    _draw_legend(pen, panel.lines, top)


def _draw_axes(
    pen: Any, panel: Panel, ticks: list[float], span: tuple[float, float], place: Callable[..., Any]
) -> None:
    for tick in ticks:
        y = place(0, tick)[1]
        pen.line([(LEFT, y), (WIDTH - RIGHT, y)], GRID)
        pen.text((LEFT - 8, y), panel.text(tick), FAINT, font(12), anchor="rm")
    pen.text((LEFT - 8, place(0, ticks[0])[1] + 8), "step", FAINT, font(12), anchor="rt")
    for step in ticks_over(span[0], span[1], 8):
        if step <= span[1]:
            x, y = place(step, ticks[0])
            pen.text((x, y + 8), f"{step:g}", FAINT, font(12), anchor="mt")


def _draw_line(pen: Any, line: Line, place: Callable[..., Any]) -> None:
    points = [place(step, value) for step, value in line.points]
    if len(points) > 1:
        pen.line(points, line.color, line.width, joint="curve")
    if line.dots or len(points) == 1:
        for x, y in points:
            pen.ellipse([x - 3, y - 3, x + 3, y + 3], line.color)


def _draw_legend(pen: Any, lines: Sequence[Line], top: int) -> None:
    right = WIDTH - RIGHT
    for line in reversed([line for line in lines if line.label]):
        width = pen.textlength(line.label, font(12))
        pen.text((right - width, top + 14), line.label, INK, font(12))
        pen.line([(right - width - 26, top + 22), (right - width - 8, top + 22)], line.color, max(2, line.width))
        right -= width + 44


def ticks_over(low: float, high: float, most: int = 5) -> list[float]:
    """Return evenly spaced round numbers that cover low to high."""
    if not high > low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / most
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * factor for factor in (1, 2, 2.5, 5, 10) if scale * factor >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]
