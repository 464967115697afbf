"""The space in which pictures are compared: unit vectors of every feature network, side by side."""

import math
from collections.abc import Sequence

import numpy as np

from ...metrics.images.likeness import unit


def joined(features: Sequence[np.ndarray]) -> np.ndarray:
    """Return unit vectors (N, D) of the features (N, D_k) of each network, all networks weighing the same.

    The cosine of two pictures is then the mean of the networks' cosines, as CLIP-I and DINO are usually read side by
    side. Raises InvalidError for features without a direction.
    """
    parts = [unit(values) for values in features]
    return np.concatenate(parts, axis=1) / np.sqrt(len(parts))


def pair_mean(square: np.ndarray) -> float:
    """Return the mean of a square matrix over its pairs of different rows and columns; NaN where there is none."""
    count = len(square)
    return float((square.sum() - np.trace(square)) / (count * (count - 1))) if count > 1 else math.nan
