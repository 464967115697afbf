"""STL-10 as its authors distribute it: binary files of 96 x 96 pictures (Coates, Lee and Ng, 2011).

`stl10_binary.tar.gz`, unpacked, holds test_X.bin, test_y.bin and class_names.txt. The test pictures are read: those of
an audit are to be no model's training pictures, as far as that is known.
"""

from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..foreign import Advice, foreign
from ..pictures import cover
from .dataset import Dataset, Published
from .images.labelled import LabelledImages
from .images.layout import IMAGES, place, require_place
from .images.subset import Choose
from .protocol import Protocol, rounds

SIDE = 96
"""Pixels of a picture."""
_PIXELS, _LABELS, _NAMES = "test_X.bin", "test_y.bin", "class_names.txt"
_LAYOUT = f"STL-10's binary files: {_PIXELS}, {_LABELS}, {_NAMES}"
_PICTURE = 3 * SIDE * SIDE
"""Bytes of a picture: all of one channel, then the next."""
_MOST_NAMES = 1 << 16
"""Bytes of class names that are believed: there are ten."""


def read_stl10(folder: Path, side: int, choose: Choose) -> LabelledImages:
    """Return the chosen test pictures of each class, resized to side x side.

    Raises UsageError where a file is missing or cannot be what it is called.
    """
    found = require_place(_place(folder), folder, _LAYOUT)
    with foreign(f"{found} cannot be read as STL-10", Advice(settings=(IMAGES,))):
        names = tuple((found / _NAMES).read_bytes()[:_MOST_NAMES].decode().split())
        labels = np.fromfile(found / _LABELS, np.uint8).astype(int) - 1
        pixels = np.memmap(found / _PIXELS, np.uint8, "r")
    _require_whole(found, pixels.size, labels, names)
    kept = []
    for label, name in enumerate(names):
        members = np.flatnonzero(labels == label)
        if not len(members):
            raise UsageError(f"{found / _LABELS} holds no picture of the class {name!r}.", IMAGES)
        kept.append(members[choose([str(row) for row in members])])
    order = np.sort(np.concatenate(kept))
    stored = pixels.reshape(-1, 3, SIDE, SIDE)[order].transpose(0, 1, 3, 2)  # columns come before rows in the file
    return LabelledImages(np.stack([_resized(picture, side) for picture in stored]), labels[order], names)


def _place(folder: Path) -> Path | None:
    return place(folder, ("stl10_binary",), (_PIXELS, _LABELS, _NAMES))


def _require_whole(found: Path, size: int, labels: np.ndarray, names: tuple[str, ...]) -> None:
    if size != len(labels) * _PICTURE or not len(labels):
        raise UsageError(
            f"{found}: {_PIXELS} has {size:,} bytes and {_LABELS} {len(labels):,} labels, where each picture has "
            f"{_PICTURE:,} bytes: a file is not whole, or not of STL-10.",
            IMAGES,
        )
    if labels.min() < 0 or labels.max() >= len(names) or len(set(names)) < max(len(names), 2):
        raise UsageError(
            f"{found}: the labels {labels.min() + 1} to {labels.max() + 1} of {_LABELS} do not fit the {len(names)} "
            f"classes of {_NAMES}.",
            IMAGES,
        )


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    return cover(Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))), side, side)


DATASET = Dataset(
    name="stl10",
    layout=_LAYOUT,
    is_in=lambda folder: _place(folder) is not None,
    read=read_stl10,
    published=Published(
        title="STL-10",
        home="https://cs.stanford.edu/~acoates/stl10/",
        archives=(("stl10_binary.tar.gz", "91f7769df0f17e558f3565bffb0c7dfb"),),
        licence="Its authors state no licence; the pictures are from ImageNet, whose terms hold for them.",
        protocol=Protocol(10, "a photo of a {name}.", rounds((100, 500), (5, 1)), "l1"),
    ),
)
