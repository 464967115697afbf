"""Empirical Bayes: each concept's mean drawn to what its attributes predict, as far as its own rows are few."""

from dataclasses import dataclass

import numpy as np

from ...statistics import LEVEL, normal_quantile
from .attributes import Regression


@dataclass(frozen=True)
class Shrunk:
    """Values of V concepts and their intervals, which cover at their level on average over the concepts."""

    value: np.ndarray
    """(V,) smaller squared error in all than the means."""
    low: np.ndarray
    """(V,) lower ends."""
    high: np.ndarray
    """(V,) upper ends."""


def shrink(mean: np.ndarray, spread: np.ndarray, regression: Regression, level: float = LEVEL) -> Shrunk:
    """Return means (V,) with standard errors, drawn to the regression's prediction.

    The intervals allow for the bias of what is drawn, whatever the distribution of the concepts beyond the regression,
    if its variance is right (Armstrong, Kolesár and Plagborg-Møller 2022, Econometrica). A single concept far from
    all others is drawn too far: it is the average over concepts that is covered.
    """
    noise = np.square(spread)
    own = regression.rest / (regression.rest + noise)
    value = own * mean + (1 - own) * regression.predicted
    # Squared bias relative to the variance: noise / rest on average. The largest serves all: errors are nearly alike.
    wide = critical_value(float((noise / regression.rest).max()), 1 - level) * own * spread
    predicted = normal_quantile(level) * (1 - own) * regression.spread
    half = np.hypot(wide, predicted)
    return Shrunk(value, value - half, value + half)


def critical_value(bias: float, error: float) -> float:
    """Return the half-width, in standard deviations, that covers at 1 - error whatever biases have this mean square.

    1.96 without bias at 5 %. The worst biases are zero for some and one value for the rest.
    """
    low, high = normal_quantile(1 - error), float(np.sqrt((1 + bias) / error))  # Chebyshev's inequality
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _missed(bias, middle) > error else (low, middle)
    return high


def _missed(bias: float, half: float) -> float:
    """Return how often an interval of that half-width misses under the worst distribution of the bias."""
    from scipy.special import ndtr

    # A bias of (half + 6)^2 is missed surely; beyond it, fewer concepts could have it.
    each = bias + np.linspace(0, (half + 6) ** 2, 4001)
    roots, none = np.sqrt(each), 2 * ndtr(-half)
    missed = ndtr(-half - roots) + ndtr(roots - half)
    share = np.divide(bias, each, out=np.ones_like(each), where=each > 0)
    return float((none + share * (missed - none)).max())
