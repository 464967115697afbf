"""Labelled images from the user's disk: one subfolder per class."""

from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..pictures import SUFFIXES, cover, open_picture
from .labelled import LabelledImages


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
            images.append(cover(open_picture(path), side, side))
            labels.append(label)
    names = tuple(p.name.replace("_", " ") for p in subfolders)
    return LabelledImages(np.stack(images), np.array(labels), names)


def _pictures(subfolder: Path, per_class: int) -> list[Path]:
    paths = sorted(p for p in subfolder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise UsageError(f"--images: the class folder {subfolder} holds no picture ({', '.join(sorted(SUFFIXES))}).")
    return paths[: per_class or None]
