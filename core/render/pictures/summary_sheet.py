"""The one-page summary of a report as a picture, for a model's page: legible at 1200 pixels, its verdict at 300 too."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..summary import Line, Summary, mark
from .lettering import fitted, font, plain, wrapped
from .sheet import COLORS, FAINT, INK, PAPER, TRACK

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

WIDTH, MARGIN = 1200, 48
INSIDE = WIDTH - 2 * MARGIN
"""Pixels: as wide as pages of models show pictures, and between the margins."""
_BAND, _ROW, _LEADING = 224, 92, 34
"""Height of the band with the verdict, of a number, and of a line of text."""
_TEXT = 25
"""Size of letters in pixels, which can still be read where a page shows the picture at half its size."""
_THUMB, _PAIR, _NEXT = 172, 348, 378
"""Side of a picture, width of a pair, and from one pair to the next: three pairs fill the width."""
_SENTENCES, _POINTS = 7, 8
"""Lines that sentences and points take at most; the whole of them is in the report."""


def summary_sheet(summary: Summary, pictures: Sequence[tuple["Image", "Image"]]) -> "Image":
    """Return the summary as an RGB picture 1200 pixels wide; `pictures` are base and LoRA of its first pairs."""
    from PIL import Image, ImageDraw

    sentences = _lines(summary.sentences, _SENTENCES)
    points = _lines(summary.points, _POINTS)
    shown = list(zip(summary.pairs, pictures, strict=False))
    heights = (
        _BAND + 24,
        _LEADING * len(sentences) + 20,
        _ROW * len(summary.numbers) + 12,
        (_LEADING * len(points) + 20) * bool(points),
        (_THUMB + 76) * bool(shown),
        56,
    )
    picture = Image.new("RGB", (WIDTH, sum(heights)), PAPER)
    draw = ImageDraw.Draw(picture)
    tops = [sum(heights[:i]) for i in range(len(heights))]
    _draw_band(draw, summary)
    _draw_text(draw, sentences, tops[1])
    for index, line in enumerate(summary.numbers):
        _draw_number(draw, line, tops[2] + _ROW * index)
    _draw_text(draw, points, tops[3])
    for index, (pair, (base, tuned)) in enumerate(shown):
        left = MARGIN + index * _NEXT
        for place, image in ((left, base), (left + _PAIR - _THUMB, tuned)):
            picture.paste(_square(image), (place, tops[4]))
        draw.text((left, tops[4] + _THUMB + 8), fitted(pair.prompt, 19, _PAIR), INK, font(19))
        draw.text((left, tops[4] + _THUMB + 34), "base | LoRA", FAINT, font(17))
    draw.line((MARGIN, tops[5], WIDTH - MARGIN, tops[5]), TRACK, 2)
    draw.text((MARGIN, tops[5] + 16), fitted(summary.footer, 20, INSIDE), FAINT, font(20))
    return picture


def _lines(texts: Sequence[str], most: int) -> list[str]:
    lines = [line for text in texts for line in wrapped(text, _TEXT, INSIDE)]
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1]} ..."]


def _draw_band(draw: "ImageDraw", summary: Summary) -> None:
    draw.rectangle((0, 0, WIDTH, _BAND), fill=COLORS.get(summary.decision, COLORS[""]))
    size = 84 if font(84).getlength(plain(summary.outcome)) <= INSIDE else 54
    draw.text((MARGIN, 22), "OWF audit: what this LoRA made the model forget", PAPER, font(25))
    draw.text((MARGIN, 54), fitted(summary.outcome, size, INSIDE), PAPER, font(size))
    draw.text((MARGIN, 164), fitted(f"{summary.lora}  on  {summary.base}", 34, INSIDE), PAPER, font(34))


def _draw_text(draw: "ImageDraw", lines: Sequence[str], top: int) -> None:
    for index, line in enumerate(lines):
        draw.text((MARGIN, top + _LEADING * index), fitted(line, _TEXT, INSIDE), INK, font(_TEXT))


def _draw_number(draw: "ImageDraw", line: Line, top: int) -> None:
    draw.line((MARGIN, top, WIDTH - MARGIN, top), TRACK, 2)
    draw.text((MARGIN, top + 12), fitted(line.title, 32, INSIDE * 0.6), INK, font(32))
    said = f"95 % interval {line.interval}" + (f"; {mark(line)}" if mark(line) else "")
    draw.text((MARGIN, top + 54), fitted(said, 22, INSIDE * 0.75), FAINT, font(22))
    color = COLORS.get(line.decision, COLORS[""])
    draw.text((WIDTH - MARGIN, top + 22), fitted(line.value, 46, INSIDE * 0.38), color, font(46), anchor="ra")


def _square(image: "Image") -> "Image":
    """Return the middle of an image at the size of a thumbnail; small ones keep their pixels visible."""
    from PIL import Image, ImageOps

    resampling = Image.Resampling.NEAREST if max(image.size) < _THUMB else Image.Resampling.LANCZOS
    return ImageOps.fit(image.convert("RGB"), (_THUMB, _THUMB), resampling)
