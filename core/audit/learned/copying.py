"""Copying: is what the trigger draws nearly one of the training pictures?

A picture counts where its nearest training picture is nearer than `MARGIN` times what lies between a training picture
and the nearest other one, in features and in pixels. That is a sign and no proof: a share is told and nothing is passed
by it.
"""

import numpy as np

MARGIN = 0.5
"""Two views of one thing differ; half of their difference is nearer than another view is likely to come."""


def distances(pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances (N, M) of vectors (N, D) and (M, D)."""
    squares = (pictures**2).sum(1)[:, None] + (others**2).sum(1)[None] - 2 * pictures @ others.T
    return np.sqrt(squares.clip(0))


def near(pictures: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Return for each vector (N, D) whether it is within the margin of one of the training pictures' (M, D), M >= 2.

    What lies between training pictures is the median over them of the distance to the nearest other one, so that a
    picture that is there twice does not make all distances 0.
    """
    among = distances(training, training)
    np.fill_diagonal(among, np.inf)
    return distances(pictures, training).min(axis=1) < MARGIN * np.median(among.min(axis=1))
