"""Charts as inline SVG. Horizontal positions are percentages, so a chart fits any width and text keeps its size.

Styles live in report.css: the content security policy allows no style attributes.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from ...metrics.measurement import Estimate
from .. import words

COLORS = {
    "black": "#1b1b1b",
    "white": "#ffffff",
    "red": "#d1242f",
    "green": "#2f9e44",
    "yellow": "#f2c91d",
    "blue": "#2563c9",
    "brown": "#8a5a2b",
    "purple": "#7d3fb0",
    "pink": "#ee8fb5",
    "orange": "#ee7f1a",
    "grey": "#8f9296",
    "gray": "#8f9296",
}
"""The 11 basic colour terms, as a typical example of each."""

_HUGE = 1e100
"""Values from here on do not stretch an axis: differences of larger ones overflow."""
_TOP, _MIDDLE, _AXIS = 20, 42, 64
"""Pixels from the top of a chart: where bands begin, of points, and of the axis, with labels above and below."""
_ROW = 24
"""Height of a line of a breakdown in pixels, that of its text."""
_NEAR_END = 12
"""Percent of the axis: nearer to an end, a label in the middle over its mark would leave the picture."""


@dataclass(frozen=True)
class Scale:
    """A horizontal axis in stored units."""

    low: float
    """Value at the left edge."""
    high: float
    """Value at the right edge."""
    ticks: tuple[float, ...]
    """Marked values."""

    def at(self, value: float) -> float:
        """Return the position of a value in percent; values outside sit on the edge."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 3)


def scale(values: Sequence[float | None], most_ticks: int = 6) -> Scale:
    """Return an axis with round ends that holds zero and every finite value; infinite ones leave room for arrows."""
    low, high = _ends(values)
    step = _step((high - low) / max(most_ticks - 1, 1))
    ticks = _multiples(step, math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9))
    return Scale(ticks[0], ticks[-1], ticks)


def tight_scale(values: Sequence[float | None], most_ticks: int = 4) -> Scale:
    """Return an axis like `scale`'s that ends where its values do: narrow charts have no room to spare."""
    low, high = _ends(values)
    step = _step((high - low) / max(most_ticks - 1, 1))
    ticks = _multiples(step, math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9))
    return Scale(low, high, ticks)


def _ends(values: Sequence[float | None]) -> tuple[float, float]:
    shown = [v for v in values if v is not None and abs(v) < _HUGE] + [0.0]
    low, high = min(shown), max(shown)
    if any(v is not None and math.isinf(v) for v in values):
        low, high = low - 0.15 * (high - low), high + 0.15 * (high - low)
    if high - low < 1e-12 * max(1.0, abs(high)):
        high = low + 1.0
    return low, high


def _multiples(step: float, first: int, last: int) -> tuple[float, ...]:
    return tuple(i * step for i in range(first, last + 1))


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(k for k in (1, 2, 2.5, 5, 10) if k * power >= rough * 0.999) * power


def extent(estimates: Iterable[Estimate], limits: Iterable[float]) -> list[float | None]:
    """Return what an axis has to hold: estimates with their intervals and floors, and limits with room beyond."""
    values = [v for e in estimates for v in (e.low, e.value, e.high, e.floor)]
    return [*values, *(v * way for v in limits for way in (1.0, 1.2))]


def against_zero(estimate: Estimate) -> str:
    """Return the state of an interval: "above" or "below" zero, or "unclear" where zero is in it."""
    if estimate.low > 0:
        return "above"
    return "below" if estimate.high < 0 else "unclear"


def estimate_chart(
    estimate: Estimate, limits: Sequence[float], word: str, state: str, label: str, axis: Scale | None = None
) -> Markup:
    """Return one estimate against its noise floor and limits, on an axis of its own unless one is given.

    There is no limit, one, or one on each side of zero. `word` names them, `state` is a CSS class, `label` says the
    chart in words.
    """
    if not math.isfinite(estimate.value):
        return Markup()
    if axis is None:
        axis = scale(extent([estimate], limits))
    parts = [
        *(_beyond(axis, limit) for limit in limits),
        _band(axis, estimate.floor, _TOP, _AXIS),
        _axis(axis, estimate.unit),
        *(_limit(axis, limit, word) for limit in limits),
        _whisker(axis, estimate, _MIDDLE),
        _point(axis, estimate.value, _MIDDLE, 6),
    ]
    return _svg(f"chart {words.slug(state)}", 84, parts, label)


def row_chart(estimate: Estimate, axis: Scale, state: str, lines: tuple[tuple[str, float], ...] = ()) -> Markup:
    """Return one line of a breakdown: point and interval on a shared axis; `lines` are (class, value) marks."""
    marks = [_vertical(axis, value, "mark " + words.slug(kind), 0, _ROW) for kind, value in lines]
    dot = [] if not math.isfinite(estimate.value) else [_point(axis, estimate.value, _ROW / 2, 4.5)]
    band = _band(axis, estimate.floor, 0, _ROW)
    parts = [band, _grid(axis, _ROW), *marks, _whisker(axis, estimate, _ROW / 2), *dot]
    return _svg(f"row-chart {words.slug(state)}", _ROW, parts)


def color_chart(estimate: Estimate, axis: Scale, color: str) -> Markup:
    """Return a signed bar in the colour it is about, with its interval; the noise floor counts both ways."""
    zero = axis.at(0)
    end = axis.at(estimate.value) if math.isfinite(estimate.value) else zero
    bar = _tag(
        "rect",
        x=_percent(min(zero, end)),
        y=4,
        width=_percent(abs(end - zero)),
        height=_ROW - 8,
        fill=COLORS.get(color, "#8f9296"),
        class_="swatch",
    )
    floors = [] if estimate.floor is None else [estimate.floor, -estimate.floor]
    bands = [_band(axis, floor, 0, _ROW) for floor in floors]
    parts = [*bands, _grid(axis, _ROW), bar, _whisker(axis, estimate, _ROW / 2, halo=True)]
    return _svg("row-chart color", _ROW, parts)


def axis_chart(axis: Scale, unit: str, signed: bool = False) -> Markup:
    """Return the tick labels shared by the lines of a breakdown."""
    return _svg("axis-chart", 18, [_tick_label(axis, tick, unit, 13, "middle", signed) for tick in axis.ticks])


def _svg(class_: str, height: float, parts: Iterable[Markup], label: str = "") -> Markup:
    access = {"role": "img", "aria_label": label} if label else {"aria_hidden": "true"}
    return _tag("svg", *parts, class_=class_, width="100%", height=height, focusable="false", **access)


def _tag(name: str, *children: Markup | str, **attributes: str | float) -> Markup:
    pairs = (f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    inner = "".join(str(escape(child)) for child in children)
    return Markup(f"<{name}{''.join(pairs)}>{inner}</{name}>")  # every piece is escaped above


def _percent(value: float) -> str:
    return f"{value:.6g}%"


def _vertical(axis: Scale, value: float, class_: str, top: float, bottom: float) -> Markup:
    x = _percent(axis.at(value))
    return _tag("line", x1=x, x2=x, y1=top, y2=bottom, class_=class_)


def _grid(axis: Scale, bottom: float) -> Markup:
    lines = [_vertical(axis, t, "zero" if abs(t) < 1e-12 else "grid", 0, bottom) for t in axis.ticks]
    return Markup().join(lines)


def _axis(axis: Scale, unit: str) -> Markup:
    base = _tag("line", x1="0%", x2="100%", y1=_AXIS, y2=_AXIS, class_="axis")
    marks = [_vertical(axis, t, "tick", _AXIS, _AXIS + 4) for t in axis.ticks]
    return Markup().join([base, *marks, *(_tick_label(axis, t, unit, _AXIS + 17) for t in axis.ticks)])


def _tick_label(axis: Scale, tick: float, unit: str, y: float, anchor: str = "", signed: bool = False) -> Markup:
    shown = words.tick(tick, unit, signed)
    if not anchor:
        anchor = {0.0: "start", 100.0: "end"}.get(axis.at(tick), "middle")
    return _tag("text", shown, x=_percent(axis.at(tick)), y=y, text_anchor=anchor, class_="tick-label")


def _beyond(axis: Scale, limit: float) -> Markup:
    left, right = (0.0, axis.at(limit)) if limit < 0 else (axis.at(limit), 100.0)
    return _tag("rect", x=_percent(left), y=_TOP, width=_percent(right - left), height=_AXIS - _TOP, class_="beyond")


def _band(axis: Scale, floor: float | None, top: float, bottom: float) -> Markup:
    if floor is None or not math.isfinite(floor):
        return Markup()
    left, right = sorted((axis.at(0), axis.at(floor)))
    return _tag("rect", x=_percent(left), y=top, width=_percent(right - left), height=bottom - top, class_="floor")


def _limit(axis: Scale, limit: float, word: str) -> Markup:
    x = axis.at(limit)
    anchor = "middle"
    if x < _NEAR_END:
        anchor = "start"
    elif x > 100 - _NEAR_END:
        anchor = "end"
    label = _tag("text", word, x=_percent(x), y=_TOP - 6, text_anchor=anchor, class_="limit-label")
    return _vertical(axis, limit, "limit", _TOP - 2, _AXIS) + label


def _whisker(axis: Scale, estimate: Estimate, y: float, halo: bool = False) -> Markup:
    left, right = axis.at(estimate.low), axis.at(estimate.high)
    ends = [(left, estimate.low, -1), (right, estimate.high, 1)]
    line = {"x1": _percent(left), "x2": _percent(right), "y1": y, "y2": y}
    under = _tag("line", **line, class_="halo") if halo else Markup()
    caps = [_arrow(x, y, way) if math.isinf(value) else _cap(x, y) for x, value, way in ends]
    return Markup().join([under, _tag("line", **line, class_="interval"), *caps])


def _cap(x: float, y: float) -> Markup:
    return _tag("line", x1=_percent(x), x2=_percent(x), y1=y - 5, y2=y + 5, class_="interval")


def _arrow(x: float, y: float, way: int) -> Markup:
    path = _tag("path", d=f"M{-7 * way} -5 L0 0 L{-7 * way} 5", class_="interval open")
    return _tag("svg", path, x=_percent(x), y=y, overflow="visible")


def _point(axis: Scale, value: float, y: float, radius: float) -> Markup:
    return _tag("circle", cx=_percent(axis.at(value)), cy=y, r=radius, class_="point")
