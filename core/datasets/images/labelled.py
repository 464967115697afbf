"""Labelled images: what the semantic metric asks the model to recognise."""

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LabelledImages:
    """Images with their classes."""

    images: np.ndarray
    """(N, 3, H, W) uint8, at the model's resolution."""
    labels: np.ndarray
    """(N,) class indices."""
    classes: tuple[str, ...]
    """Class names, in label order."""

    @property
    def items(self) -> tuple[str, ...]:
        """A name for each image made from its pixels and label, so that its noise does not depend on order.

        Copies of one picture are told apart by a count, since they would otherwise share their noise.
        """
        seen: dict[str, int] = {}
        names = []
        for image, label in zip(self.images, self.labels, strict=True):
            digest = hashlib.sha256(image.tobytes() + f"{int(label)}".encode()).hexdigest()[:24]
            seen[digest] = seen.get(digest, 0) + 1
            names.append(f"{digest}-{seen[digest]}")
        return tuple(names)

    def digest(self) -> str:
        """Return the SHA-256 over class names, images and labels."""
        sha = hashlib.sha256(repr((self.classes, self.images.shape)).encode())
        sha.update(np.ascontiguousarray(self.images).tobytes())
        sha.update(np.ascontiguousarray(self.labels, np.int64).tobytes())
        return sha.hexdigest()
