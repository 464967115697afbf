"""GIF files as far as their first frame: its place on the canvas, and how many colours it has.

Pillow takes indices for grey levels where there is no table of colours, or one of greys only, and fills the canvas
around a smaller frame with the first colour.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .raw import Raw, require_colors

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

_HEADER = 13
"""Bytes before the table of colours."""
_EXTENSION, _FRAME = 0x21, 0x2C
"""How blocks begin."""


@dataclass
class RawGif(Raw):
    """A GIF file taken apart."""

    colors: int = 0
    """Colours of its first frame's table."""


def take_apart(content: bytes) -> RawGif:
    """Return the file, with what its first frame says. Raises ValueError where there is no frame."""
    colors = _colors(content[10:11])
    at = _HEADER + 3 * colors
    while content[at : at + 1] == bytes([_EXTENSION]):
        at += 2
        while at < len(content) and content[at]:
            at += 1 + content[at]
        at += 1
    frame = content[at : at + 10]
    if len(frame) < 10 or frame[0] != _FRAME:
        raise ValueError("it begins like a picture, but no picture follows")
    left, top, width, height = (int.from_bytes(frame[i : i + 2], "little") for i in range(1, 9, 2))
    if not width or not height:
        raise ValueError("its first frame is empty")
    return RawGif("GIF", content, frame=(left, top, left + width, top + height), colors=_colors(frame[9:]) or colors)


def _colors(flags: bytes) -> int:
    """Return how many colours the table has that a byte of flags announces."""
    return 2 << (flags[0] & 7) if flags and flags[0] & 128 else 0


def decode_gif(raw: Raw, pixels: "Callable[[Raw], Image]") -> "Image":
    """Return what Pillow makes of the first frame; raises ValueError where its indices mean no colour."""
    assert isinstance(raw, RawGif)
    picture = pixels(raw)
    require_colors(picture, raw.colors, raw.frame)
    return picture
