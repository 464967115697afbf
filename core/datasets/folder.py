"""Labelled images from the user's disk: one subfolder per class."""

import warnings
from pathlib import Path

import numpy as np

from ..errors import UsageError
from .labelled import LabelledImages

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
                return _square(picture.convert("RGB"), side)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"{path} cannot be read as a picture: {error}") from error


def _square(picture, side: int) -> np.ndarray:
    from PIL import Image

    scale = side / min(picture.size)
    width, height = (max(side, round(x * scale)) for x in picture.size)
    resized = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    return np.asarray(resized.crop((left, top, left + side, top + side))).transpose(2, 0, 1).copy()
