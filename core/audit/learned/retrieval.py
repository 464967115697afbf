"""Retrieval: among other looks of its class, is the taught concept the nearest to what the trigger draws?

A picture's squared distance to a concept is that to the mean of all its pictures, estimated without bias from the few
there are, so that a concept that is shown in more pictures, or more alike ones, is not nearer for that.
"""

from collections.abc import Sequence

import numpy as np

from .space import pair_mean


def squared_distances(pictures: np.ndarray, concept: np.ndarray) -> np.ndarray:
    """Return the squared distance (N,) of unit vectors (N, D) to the mean of what K >= 2 others (K, D) are drawn from.

    |x - m|^2 = E |x - u|^2 - E |u - v|^2 / 2 for u, v independent members with mean m.
    """
    return _to_members(pictures, concept) - _within(concept)


def _to_members(pictures: np.ndarray, concept: np.ndarray) -> np.ndarray:
    return 2 - 2 * (pictures @ concept.T).mean(axis=1)


def _within(concept: np.ndarray) -> float:
    return 1 - pair_mean(concept @ concept.T)


def retrieved(pictures: np.ndarray, taught: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """Return for each of the unit vectors (N, D) whether the taught concept (V, D) is nearer than all others (K, D)."""
    nearest = np.min([squared_distances(pictures, other) for other in others], axis=0)
    return squared_distances(pictures, taught) < nearest


def retrieved_views(views: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """Return the same for each view (V, D) of the taught concept, which the other views then stand for: the ceiling.

    How much the views differ among themselves is known from all of them.
    """
    nearest = np.min([squared_distances(views, other) for other in others], axis=0)
    cosines = views @ views.T
    to_others = (cosines.sum(axis=1) - np.diag(cosines)) / (len(views) - 1)
    return 2 - 2 * to_others - _within(views) < nearest
