"""Did variety within a prompt shrink? Mean pairwise feature distance of one prompt's images, tuned against base."""

import numpy as np

from .measurement import Measurement
from .statistics import ratio_estimate

VERSION = 1


def spread_within(features: np.ndarray) -> np.ndarray:
    """Return the mean Euclidean distance (P,) between the images of each prompt, from features (P, S, D), S >= 2."""
    images = features.shape[1]
    values = features.astype(np.float64)
    distances = np.linalg.norm(values[:, :, None] - values[:, None, :], axis=3)
    return distances.sum(axis=(1, 2)) / (images * (images - 1))


def summarise_diversity(base: np.ndarray, tuned: np.ndarray) -> Measurement:
    """Return the ratio of tuned to base spread, from features (P, S, D) each; the prompt is the independent unit."""
    ratio = ratio_estimate(spread_within(tuned), spread_within(base), "relative")
    facts: dict[str, str | int | float] = {"prompts": base.shape[0], "images_per_prompt": base.shape[1]}
    return Measurement("diversity", VERSION, "diversity_ratio", {"diversity_ratio": ratio}, {}, facts)
