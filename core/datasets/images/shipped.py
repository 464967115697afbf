"""Labelled images that ship with a base: pictures that it was not trained on."""

from collections.abc import Iterable

import numpy as np

from ...families import shipped
from ...pictures import cover
from .labelled import LabelledImages


def read_shipped(name: str, side: int, per_class: int) -> LabelledImages | None:
    """Return the first `per_class` (0: all) pictures of each class at side x side; None where none ship by that name.

    A set of them is called like the family of its base.
    """
    its = shipped().get(name)
    if its is None:
        return None
    with np.load(its.probes) as data:
        images, labels, classes = data["images"], data["labels"], data["classes"]
    kept = [np.flatnonzero(labels == k)[: per_class or None] for k in range(len(classes))]
    rows = np.sort(np.concatenate(kept))
    pixels = np.stack(list(_at(side, images[rows])))
    return LabelledImages(pixels, labels[rows].astype(int), tuple(map(str, classes)))


def _at(side: int, images: np.ndarray) -> Iterable[np.ndarray]:
    """Yield each of (N, H, W, 3) uint8 as (3, side, side), as it is where it has that size already."""
    from PIL import Image

    for image in images:
        yield image.transpose(2, 0, 1) if image.shape[:2] == (side, side) else cover(Image.fromarray(image), side, side)
