"""What a picture file is taken apart into."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass
class Raw:
    """Pixels and metadata of a picture file."""

    kind: str
    """Format, as Pillow calls it."""
    content: bytes
    """The file without what Pillow must not see."""
    exif: bytes = b""
    """EXIF block; may be anything."""
    profile: bytes = b""
    """ICC profile; may be anything."""
    frame: tuple[int, int, int, int] | None = None
    """Left, top, right and bottom of the part of the picture that the first frame of an animation covers."""


def require_colors(picture: "Image", colors: int, frame: tuple[int, int, int, int] | None = None) -> None:
    """Raise ValueError where a picture of palette indices has one in its frame that is beyond its `colors`.

    Pillow fills palettes up with black, and has grey levels instead of indices (mode L) where these are the same, so
    that such a pixel would get a colour without a word. The index that is transparent needs no colour.
    """
    if not colors:
        raise ValueError("its pixels name colours of a palette, and it has none")
    indices = np.asarray(picture if frame is None else picture.crop(frame))
    clear = picture.info.get("transparency")
    highest = int(indices.max(where=indices != clear, initial=0) if isinstance(clear, int) else indices.max())
    if highest >= colors:
        raise ValueError(f"its pixels name colour {highest + 1} of a palette, which has {colors}")
