"""Pictures from the user's disk: opened safely, turned upright, cut to the size that is asked for."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
MAX_PIXELS = 10**8
"""Larger pictures are refused before they are decoded."""


def open_picture(path: Path) -> "Image.Image":
    """Return a picture as RGB, turned as its camera says; raise UsageError where it cannot be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise UsageError(
                        f"{path} has {picture.width} x {picture.height} pixels; shrink it or leave it out."
                    )
                return _upright_rgb(picture)
    except (
        OSError,
        UnidentifiedImageError,
        ValueError,
        SyntaxError,
        MemoryError,
        Image.DecompressionBombError,
    ) as error:
        raise UsageError(f"{path} cannot be read as a picture: {error}") from error


def _upright_rgb(picture: "Image.Image") -> "Image.Image":
    """Return the picture turned as its camera says, 16-bit greys scaled to 8, transparency on white."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        grey = np.asarray(picture, np.float64)
        return Image.fromarray((grey / max(grey.max(), 255) * 255).round().astype(np.uint8)).convert("RGB")
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")


def cover(picture: "Image.Image", height: int, width: int) -> np.ndarray:
    """Return the centre of a picture as (3, height, width) uint8: cut to that shape, resized (bicubic, antialiased)."""
    from PIL import Image

    # Cropping first is the same for the centre and keeps a 200,000 x 1 picture from growing to gigabytes.
    cut_width = max(1, min(picture.width, round(picture.height * width / height)))
    cut_height = max(1, min(picture.height, round(picture.width * height / width)))
    left, top = (picture.width - cut_width) // 2, (picture.height - cut_height) // 2
    part = picture.crop((left, top, left + cut_width, top + cut_height))
    return np.asarray(part.resize((width, height), Image.Resampling.BICUBIC)).transpose(2, 0, 1).copy()
