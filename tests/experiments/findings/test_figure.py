"""Points lie where they belong, and what cannot be drawn is an error."""

import pytest
from owf.core.experiments.findings.figure import BOTTOM, COLORS, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Figure, Series
from PIL import ImageColor


def color_at(picture, x, y):
    return picture.getpixel((round(x), round(y)))


def test_points_lie_where_the_axes_say():
    series = (Series("one", ((0.0, 0.0), (10.0, 4.0))), Series("two", ((5.0, 2.0),), joined=False))
    picture = Figure("title", "x", "y", series).draw()
    assert picture.size == (WIDTH, HEIGHT)
    one, two = map(ImageColor.getrgb, COLORS[:2])
    right, top, left, bottom = WIDTH - RIGHT, TOP, LEFT, HEIGHT - BOTTOM
    assert color_at(picture, left, bottom) == one and color_at(picture, right, top) == one
    assert color_at(picture, (left + right) / 2, (top + bottom) / 2) == two
    assert color_at(picture, left + 3, top + 3) == (255, 255, 255)


def test_single_values_and_spans_are_drawn():
    Figure("t", "x", "y", (Series("a", ((0.0, 3.0),), spans=((2.0, 4.0),)),)).draw()
    Figure("t", "x", "y", (Series("a", ((0.0, 0.0), (0.0, 0.0))),)).draw()
    with pytest.raises(ValueError, match="nothing to draw"):
        Figure("t", "x", "y", (Series("a", ()),)).draw()
