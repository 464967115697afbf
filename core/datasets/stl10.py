"""STL-10 as its authors distribute it: binary files of 96 x 96 pictures (Coates, Lee and Ng, 2011).

`stl10_binary.tar.gz`, unpacked, holds test_X.bin, test_y.bin and class_names.txt. The test pictures are read: those of
an audit are to be no model's training pictures, as far as that is known.
"""

from pathlib import Path

import numpy as np

from ..errors import Setting, UsageError
from ..foreign import Advice, foreign
from ..pictures import cover
from .dataset import Dataset
from .labelled import LabelledImages

SIDE = 96
"""Pixels of a picture."""
_PIXELS, _LABELS, _NAMES = "test_X.bin", "test_y.bin", "class_names.txt"
_PICTURE = 3 * SIDE * SIDE
_IMAGES = Setting("images")
_MOST_NAMES = 1 << 16
"""Bytes of class names that are believed: there are ten."""


def is_stl10(folder: Path) -> bool:
    """Return whether a folder, or stl10_binary in it, holds the binary files."""
    return _place(folder) is not None


def read_stl10(folder: Path, side: int, per_class: int) -> LabelledImages:
    """Return the first `per_class` test pictures (0: all) of each class, resized to side x side.

    Raises UsageError where a file is missing or cannot be what it is called.
    """
    place = _place(folder)
    if place is None:
        raise UsageError(f"{folder}: {_PIXELS}, {_LABELS} and {_NAMES} of STL-10 are not there.", _IMAGES)
    with foreign(f"{place} cannot be read as STL-10", Advice(settings=(_IMAGES,))):
        names = tuple((place / _NAMES).read_bytes()[:_MOST_NAMES].decode().split())
        labels = np.fromfile(place / _LABELS, np.uint8).astype(int) - 1
        pixels = np.memmap(place / _PIXELS, np.uint8, "r")
    _require_whole(place, pixels.size, labels, names)
    kept = [np.flatnonzero(labels == k)[: per_class or None] for k in range(len(names))]
    for name, rows in zip(names, kept, strict=True):
        if not len(rows):
            raise UsageError(f"{place / _LABELS} holds no picture of the class {name!r}.", _IMAGES)
    order = np.sort(np.concatenate(kept))
    stored = pixels.reshape(-1, 3, SIDE, SIDE)[order].transpose(0, 1, 3, 2)  # columns come before rows in the file
    return LabelledImages(np.stack([_resized(picture, side) for picture in stored]), labels[order], names)


def _place(folder: Path) -> Path | None:
    places = (folder, folder / "stl10_binary")
    return next((p for p in places if all((p / name).is_file() for name in (_PIXELS, _LABELS, _NAMES))), None)


def _require_whole(place: Path, size: int, labels: np.ndarray, names: tuple[str, ...]) -> None:
    if size != len(labels) * _PICTURE or not len(labels):
        raise UsageError(
            f"{place}: {_PIXELS} has {size:,} bytes and {_LABELS} {len(labels):,} labels, where each picture has "
            f"{_PICTURE:,} bytes: a file is not whole, or not of STL-10.",
            _IMAGES,
        )
    if labels.min() < 0 or labels.max() >= len(names) or len(set(names)) < max(len(names), 2):
        raise UsageError(
            f"{place}: the labels {labels.min() + 1} to {labels.max() + 1} of {_LABELS} do not fit the {len(names)} "
            f"classes of {_NAMES}.",
            _IMAGES,
        )


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    return cover(Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))), side, side)


DATASET = Dataset(
    name="stl10",
    layout="STL-10's binary files: test_X.bin, test_y.bin, class_names.txt",
    is_in=is_stl10,
    read=read_stl10,
)
