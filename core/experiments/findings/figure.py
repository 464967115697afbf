"""A plot of curves and points over two axes, drawn with Pillow alone. No torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...render.pictures.curves import FAINT, GRID, INK, ticks_over
from ...render.pictures.lettering import font

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, HEIGHT = 900, 520
"""Pixels of the picture."""
LEFT, RIGHT, TOP, BOTTOM = 86, 220, 52, 60
"""Margins of the axes; the legend stands in the right one."""
COLORS = ("#2463b0", "#c8372d", "#2d8a4e", "#b8690f", "#7b4fa3", "#20242b", "#1b8c94", "#a8326e", "#6b6f1f")
"""Of the series, in their order; more than these begin again."""
_DOT = 4
"""Half the width of a point."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """Points of one kind."""

    label: str
    """Its name in the legend."""
    points: tuple[Point, ...]
    """(x, y), in the order in which they are joined."""
    joined: bool = True
    """Whether a line goes through them."""
    spans: tuple[Point, ...] = ()
    """(low, high) of each point's y; none where that is not known."""


@dataclass(frozen=True)
class Figure:
    """One pair of axes."""

    title: str
    """What is shown."""
    x: str
    y: str
    """What the axes say."""
    series: tuple[Series, ...]
    """What is drawn, the first first."""
    names: tuple[str, ...] = ()
    """What x = 0, 1, ... stand for, where they are no amounts."""

    @property
    def has_points(self) -> bool:
        """Whether there is anything to draw."""
        return any(series.points for series in self.series)

    def draw(self) -> "Image":
        """Return the picture; raise ValueError where there is no point."""
        from PIL import Image, ImageDraw

        if not self.has_points:
            raise ValueError("there is nothing to draw")
        points = [point for series in self.series for point in series.points]
        picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
        pen = ImageDraw.Draw(picture)
        ends = [y for series in self.series for span in series.spans for y in span]
        across = self._across([x for x, _ in points])
        up = ticks_over(min(0.0, *(y for _, y in points), *ends), max([*(y for _, y in points), *ends]))
        beside = 0.5 if self.names else 0.0
        place = _placing((across[0] - beside, across[-1] + beside), up)
        self._axes(pen, across, up, place)
        for number, series in enumerate(self.series):
            _series(pen, series, COLORS[number % len(COLORS)], place, TOP + 20 * number)
        return picture

    def _across(self, found: list[float]) -> list[float]:
        """Return the ticks of x."""
        if self.names:
            return [float(number) for number in range(len(self.names))]
        return ticks_over(min(0.0, *found), max(found))

    def _axes(self, pen: Any, across: list[float], up: list[float], place: Callable[[Point], Point]) -> None:
        pen.text((LEFT, 16), self.title, INK, font(16))
        pen.text((LEFT, 36), self.y, FAINT, font(12))
        pen.text(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16), self.x, FAINT, font(12), anchor="mm")
        for tick in up:
            y = place((across[0], tick))[1]
            pen.line([(LEFT, y), (WIDTH - RIGHT, y)], GRID)
            pen.text((LEFT - 8, y), f"{tick:g}", FAINT, font(12), anchor="rm")
        for tick in across:
            x = place((tick, up[0]))[0]
            pen.line([(x, TOP), (x, HEIGHT - BOTTOM)], GRID)
            said = self.names[int(tick)] if self.names else f"{tick:g}"
            pen.text((x, HEIGHT - BOTTOM + 8), said, FAINT, font(12), anchor="mt")


def _placing(across: Sequence[float], up: Sequence[float]) -> Callable[[Point], Point]:
    def place(point: Point) -> Point:
        right, above = (point[0] - across[0]) / (across[-1] - across[0]), (point[1] - up[0]) / (up[-1] - up[0])
        return LEFT + right * (WIDTH - RIGHT - LEFT), HEIGHT - BOTTOM - above * (HEIGHT - BOTTOM - TOP)

    return place


def _series(pen: Any, series: Series, color: str, place: Callable[[Point], Point], top: float) -> None:
    points = [place(point) for point in series.points]
    if series.joined and len(points) > 1:
        pen.line(points, color, 2, joint="curve")
    for (x, _), span in zip(series.points, series.spans, strict=False):
        pen.line([place((x, end)) for end in span], color, 1)
    for x, y in points:
        pen.ellipse([x - _DOT, y - _DOT, x + _DOT, y + _DOT], color)
    middle = WIDTH - RIGHT + 20
    pen.ellipse([middle - _DOT, top + 4 - _DOT, middle + _DOT, top + 4 + _DOT], color)
    pen.text((middle + 12, top + 4), series.label, INK, font(12), anchor="lm")
