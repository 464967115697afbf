"""How alike pictures are to a feature network: cosines of their features. No torch."""

import numpy as np

from ...errors import InvalidError


def unit(features: np.ndarray) -> np.ndarray:
    """Return features (N, D) at length 1, in float64; raise InvalidError for features without a direction."""
    values = np.asarray(features, np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise InvalidError("A feature network returned features that are zero, NaN or infinite.")
    return values / lengths


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each pair of features (N, D) as (N,)."""
    return (unit(a) * unit(b)).sum(1).clip(-1, 1)


def spread_within(features: np.ndarray) -> float:
    """Return the mean of 1 - cosine over all pairs of the features (S, D), S >= 2: how much pictures differ."""
    members = unit(features)
    count = len(members)
    # Of pictures that are all the same, rounding makes a little less than none.
    return max(0.0, 1 - (float(np.square(members.sum(0)).sum()) - count) / (count * (count - 1)))
