"""Did it learn what it was meant to? Feature similarity of generated pictures to held-out pictures of the concept."""

import numpy as np

from .measurement import Measurement
from .statistics import mean_estimate

VERSION = 1


def similarities(generated: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return the mean cosine (N,) of each generated picture's features (N, D) to all references (M, D)."""
    a, b = _unit(generated), _unit(references)
    return (a @ b.T).mean(axis=1)


def _unit(features: np.ndarray) -> np.ndarray:
    values = features.astype(np.float64)
    return values / np.linalg.norm(values, axis=1, keepdims=True).clip(1e-12)


def summarise_concept(generated: np.ndarray, references: np.ndarray) -> Measurement:
    """Return the mean cosine similarity; each generated picture, with a seed of its own, is an independent unit."""
    estimate = mean_estimate(similarities(generated, references), "cosine")
    facts: dict[str, str | int | float] = {"generated": len(generated), "references": len(references)}
    return Measurement("concept", VERSION, "similarity", {"similarity": estimate}, {}, facts)
