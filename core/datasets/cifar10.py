"""CIFAR-10 as its author distributes it: batches of 32 x 32 pictures (Krizhevsky, 2009). The test batch is read.

`cifar-10-binary.tar.gz`, unpacked, is cifar-10-batches-bin: each picture a byte of its class, then its red, green and
blue rows. `cifar-10-python.tar.gz`, which torchvision fetches, is cifar-10-batches-py: the same as pickles, which are
read without being executed.
"""

from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..foreign import Advice, foreign
from ..pictures import cover
from .dataset import Dataset, Published
from .images.labelled import LabelledImages
from .images.layout import IMAGES, content, place, require_place, wrong
from .images.python_batch import read_batch
from .images.subset import Choose
from .protocol import Protocol, rounds

SIDE = 32
"""Pixels of a picture."""
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""In the order of the labels; so does batches.meta say them."""
_PICTURE = 3 * SIDE * SIDE
"""Bytes of a picture: all of one channel, then the next."""
_LAYOUT = "CIFAR-10's test_batch.bin, or its test_batch for Python"
_MOST = 1 << 26
"""Bytes of a batch that are believed: the test batch has 31 million."""


def _place(folder: Path) -> Path | None:
    binary = place(folder, ("cifar-10-batches-bin",), ("test_batch.bin",))
    return binary or place(folder, ("cifar-10-batches-py",), ("test_batch", "batches.meta"))


def read_cifar10(folder: Path, side: int, choose: Choose) -> LabelledImages:
    """Return the chosen test pictures of each class, resized to side x side.

    Raises UsageError where a batch is missing or cannot be what it is called.
    """
    from PIL import Image

    found = require_place(_place(folder), folder, _LAYOUT)
    labels, pixels = _binary(found) if (found / "test_batch.bin").exists() else _pickled(found)
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise wrong(found, f"labels {labels.min()} to {labels.max()} where there are {len(CLASSES)} classes")
    rows = []
    for label, name in enumerate(CLASSES):
        members = np.flatnonzero(labels == label)
        if not len(members):
            raise UsageError(f"{found} holds no picture of the class {name!r}.", IMAGES)
        rows.append(members[choose([str(row) for row in members])])
    order = np.sort(np.concatenate(rows))
    stored = pixels[order].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    images = [cover(Image.fromarray(np.ascontiguousarray(picture)), side, side) for picture in stored]
    return LabelledImages(np.stack(images), labels[order], CLASSES)


def _binary(found: Path) -> tuple[np.ndarray, np.ndarray]:
    path = found / "test_batch.bin"
    stored = np.frombuffer(content(path, _MOST), np.uint8)
    if not len(stored) or len(stored) % (_PICTURE + 1):
        raise wrong(path, f"{len(stored):,} bytes are no number of pictures of {_PICTURE + 1:,} bytes each")
    stored = stored.reshape(-1, _PICTURE + 1)
    return stored[:, 0].astype(int), stored[:, 1:]


def _pickled(found: Path) -> tuple[np.ndarray, np.ndarray]:
    path = found / "test_batch"
    pickled = content(path, _MOST)
    with foreign(f"{path} cannot be read as a batch of CIFAR-10", Advice(settings=(IMAGES,))):
        return read_batch(pickled, _PICTURE)


DATASET = Dataset(
    name="cifar10",
    layout=_LAYOUT,
    is_in=lambda folder: _place(folder) is not None,
    read=read_cifar10,
    published=Published(
        title="CIFAR-10",
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        archives=(
            ("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
            ("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
        ),
        licence="Its author states no licence, and asks to cite the technical report of 2009.",
        protocol=Protocol(10, "a blurry photo of a {name}.", rounds((50, 500), (5, 1)), "l1"),
    ),
)
