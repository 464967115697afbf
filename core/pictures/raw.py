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


def require_colors(picture: "Image", colors: int) -> None:
    """Raise ValueError where a picture of palette indices (mode P) has one that is beyond its `colors`.

    Pillow fills palettes up with black, so that such a pixel would be black without a word. The index that is
    transparent needs no colour.
    """
    if not colors:
        raise ValueError("its pixels name colours of a palette, and it has none")
    indices = np.asarray(picture)
    clear = picture.info.get("transparency")
    highest = int(indices.max(where=indices != clear, initial=0) if isinstance(clear, int) else indices.max())
    if highest >= colors:
        raise ValueError(f"its pixels name colour {highest + 1} of a palette, which has {colors}")
