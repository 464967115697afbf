"""The labelled images that ship with the demo base: pictures it was not trained on."""

import numpy as np

from ..demo import DEMO_PROBES
from .labelled import LabelledImages


def read_demo(per_class: int) -> LabelledImages:
    """Return the first `per_class` (0: all) of each class's held-out 64 px pictures."""
    with np.load(DEMO_PROBES) as data:
        images, labels, classes = data["images"], data["labels"], data["classes"]
    kept = [np.flatnonzero(labels == k)[: per_class or None] for k in range(len(classes))]
    rows = np.sort(np.concatenate(kept))
    pixels = images[rows].transpose(0, 3, 1, 2) if images.shape[-1] == 3 else images[rows]
    return LabelledImages(np.ascontiguousarray(pixels), labels[rows].astype(int), tuple(map(str, classes)))
