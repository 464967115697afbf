"""Labelled images from the user's disk: one subfolder per class."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from .labelled import LabelledImages

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
MAX_PIXELS = 10**8
"""Larger pictures are refused before they are decoded."""


def read_folder(folder: Path, side: int, per_class: int) -> LabelledImages:
    """Return the first `per_class` images (0: all) of each subfolder by name, resized and cropped to side x side.

    Raises UsageError for a missing folder, fewer than two classes, an empty class or an unreadable picture.
    """
    if not folder.is_dir():
        raise UsageError(f"--images {folder}: no such folder.")
    subfolders = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(subfolders) < 2:
        raise UsageError(f"--images {folder}: needs one subfolder per class, and at least two classes.")
    images, labels = [], []
    for label, subfolder in enumerate(subfolders):
        for path in _pictures(subfolder, per_class):
            images.append(read_picture(path, side))
            labels.append(label)
    names = tuple(p.name.replace("_", " ") for p in subfolders)
    return LabelledImages(np.stack(images), np.array(labels), names)


def _pictures(subfolder: Path, per_class: int) -> list[Path]:
    paths = sorted(p for p in subfolder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise UsageError(f"--images: the class folder {subfolder} holds no picture ({', '.join(sorted(SUFFIXES))}).")
    return paths[: per_class or None]


def read_picture(path: Path, side: int) -> np.ndarray:
    """Return a picture as (3, side, side) uint8: shorter side resized (bicubic, antialiased), centre cropped."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise UsageError(
                        f"{path} has {picture.width} x {picture.height} pixels; shrink it or leave it out."
                    )
                return _square(_upright_rgb(picture), side)
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


def _square(picture: "Image.Image", side: int) -> np.ndarray:
    from PIL import Image

    # Cropping first is the same for the centre and keeps a 200,000 x 1 picture from growing to gigabytes.
    short = min(picture.size)
    left, top = ((x - short) // 2 for x in picture.size)
    square = picture.crop((left, top, left + short, top + short))
    return np.asarray(square.resize((side, side), Image.Resampling.BICUBIC)).transpose(2, 0, 1).copy()
