"""PNG files as data: URIs, so that the HTML report carries its images inside."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...pictures import open_picture
from ...verdict.report import ImagePair

if TYPE_CHECKING:
    from PIL.Image import Image

FULL, SMALL = 512, 256
"""Longest side in pixels of the first pairs, and of the others."""
FULL_COUNT, MOST = 24, 400
"""How many pairs are embedded at full size, and at all: the file stays fit to be mailed."""
_EXACT = 256
"""Side in pixels below which a picture is embedded without loss, which costs little there."""
_PIXELATED = 160
"""Side in pixels up to which pages enlarge a picture, so far that smoothing would hide what it shows."""


@dataclass(frozen=True)
class Picture:
    """One image, ready for the page."""

    uri: str
    """data: URI."""
    width: int
    """Width in pixels."""
    height: int
    """Height in pixels."""

    @property
    def tiny(self) -> bool:
        """Whether enlarging should keep its pixels visible rather than blur them."""
        return max(self.width, self.height) <= _PIXELATED


def embed_pair(pair: ImagePair, folder: Path, rank: int) -> tuple[Picture, Picture] | None:
    """Return both images of the pair at a rank in the report; None where one is missing or not an image."""
    if rank >= MOST:
        return None
    side = FULL if rank < FULL_COUNT else SMALL
    base, tuned = embed(folder / pair.base, folder, side), embed(folder / pair.tuned, folder, side)
    return (base, tuned) if base and tuned else None


def embed(path: Path, folder: Path, side: int) -> Picture | None:
    """Return the image file, at most `side` pixels long; None where it is missing or lies outside the folder.

    It is encoded anew, so neither metadata nor a file that only claims to be an image reaches the page.
    """
    image = picture_in(path, folder)
    return None if image is None else _picture(image, side)


def picture_in(path: Path, folder: Path) -> "Image | None":
    """Return the image in a file; None where it is missing, no image, or lies outside the folder."""
    try:
        return open_picture(path) if path.resolve().is_relative_to(folder.resolve()) else None
    except (OSError, ValueError, UsageError):  # the first two of a path that cannot be followed
        return None


def _picture(image: "Image", side: int) -> Picture:
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    # Small images stay exact; large ones keep full colour resolution because colour is what is judged.
    if max(image.size) < _EXACT:
        image.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        image.save(buffer, "JPEG", quality=90, subsampling=0)
        kind = "jpeg"
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(f"data:image/{kind};base64,{data}", image.width, image.height)
