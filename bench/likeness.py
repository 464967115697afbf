"""What a LoRA learnt and what it narrowed: likeness to its concept, and variety within a prompt, of image features."""

import numpy as np
from owf.core.metrics.measurement import Estimate
from owf.core.metrics.statistics import mean_estimate, ratio_estimate


def similarities(generated: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return the mean cosine (N,) of each generated picture's features (N, D) to all references (M, D)."""
    a, b = _unit(generated), _unit(references)
    return (a @ b.T).mean(axis=1)


def _unit(features: np.ndarray) -> np.ndarray:
    values = features.astype(np.float64)
    return values / np.linalg.norm(values, axis=1, keepdims=True).clip(1e-12)


def concept_similarity(generated: np.ndarray, references: np.ndarray) -> Estimate:
    """Return the mean cosine similarity; each generated picture, with a seed of its own, is an independent unit."""
    return mean_estimate(similarities(generated, references), "cosine")


def spread_within(features: np.ndarray) -> np.ndarray:
    """Return the mean Euclidean distance (P,) between the images of each prompt, from features (P, S, D), S >= 2."""
    images = features.shape[1]
    values = features.astype(np.float64)
    distances = np.linalg.norm(values[:, :, None] - values[:, None, :], axis=3)
    return distances.sum(axis=(1, 2)) / (images * (images - 1))


def diversity_ratio(base: np.ndarray, tuned: np.ndarray) -> Estimate:
    """Return the ratio of tuned to base spread, from features (P, S, D) each; the prompt is the independent unit."""
    return ratio_estimate(spread_within(tuned), spread_within(base), "relative")
