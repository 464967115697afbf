"""Concept fidelity: how far the trigger's pictures went from the base's (0) to the best that can be drawn (1).

All pictures are unit vectors (`space`), and likeness is the mean cosine to views of the concept:

    fidelity = (tuned - base) / (ceiling - base)

`tuned` and `base` are drawn from the same prompt and noise; the ceiling is the likeness of each view's round trip
through the autoencoder to the other views. A picture that is one more view of the concept therefore reads 1.
"""

import math
from dataclasses import dataclass

import numpy as np

from ...metrics.measurement import Estimate
from ...metrics.statistics import LEVEL, jackknife_covariance, student_quantile
from .space import pair_mean

LEAST_VIEWS = 3
"""Views without which it cannot be known how much they differ: of two, leaving one out leaves no pair."""
_KNOWN = 0.5
"""Largest half-width of the interval of the scale's own length, in terms of that length. Beyond it the ends of a ratio
run away from each other, and past 1 the interval has no ends at all (Fieller, 1954)."""


@dataclass(frozen=True)
class Likeness:
    """Mean cosines to the views of the concept."""

    base: float
    """Of the base's pictures: 0 of the scale."""
    tuned: float
    """Of the trigger's pictures."""
    ceiling: float
    """Of the views' round trips to the other views: 1 of the scale."""
    views: float
    """Of the views to the other views: what a perfect autoencoder would have for a ceiling."""


def likeness(tuned: np.ndarray, base: np.ndarray, views: np.ndarray, trips: np.ndarray) -> Likeness:
    """Return the mean cosines of unit vectors: S pictures of tuned and base, V views and their round trips."""
    return Likeness(
        float((base @ views.T).mean()),
        float((tuned @ views.T).mean()),
        pair_mean(trips @ views.T),
        pair_mean(views @ views.T),
    )


def fidelity(tuned: np.ndarray, base: np.ndarray, views: np.ndarray, trips: np.ndarray) -> Estimate | None:
    """Return the fidelity of unit vectors (S, D), (S, D), (V, D), (V, D) with its interval; None where it has none.

    `base[i]` and `tuned[i]` share their noise, `trips[j]` is the round trip of `views[j]`. Seeds and views are both
    samples: the covariance of numerator and denominator is that over seeds plus the jackknife's over views, and
    Fieller's theorem makes an interval of it, which is wide where the scale is short. Where the scale's own length is
    hardly known, or views or seeds are too few, there is no number.
    """
    if len(views) < LEAST_VIEWS or len(tuned) < 2:
        return None
    of_tuned, of_base, of_trips = tuned @ views.T, base @ views.T, trips @ views.T
    reached, length = _ends(of_tuned, of_base, of_trips)
    seeds = _over_seeds(of_tuned, of_base)
    without = [_without(view, of_tuned, of_base, of_trips) for view in range(len(views))]
    spreads = (seeds, len(tuned) - 1), (jackknife_covariance(np.array(without)), len(views) - 1)
    return _ratio(reached, length, spreads, len(tuned))


def _ends(of_tuned: np.ndarray, of_base: np.ndarray, of_trips: np.ndarray) -> tuple[float, float]:
    """Return how far the tuned model went, and how far it could have gone."""
    base = of_base.mean()
    return float(of_tuned.mean() - base), float(pair_mean(of_trips) - base)


def _over_seeds(of_tuned: np.ndarray, of_base: np.ndarray) -> np.ndarray:
    """Return the covariance (2, 2) of both ends over the seeds, which each have all views."""
    rows = np.stack([(of_tuned - of_base).mean(1), -of_base.mean(1)])
    return np.cov(rows) / len(of_tuned)


def _without(view: int, of_tuned: np.ndarray, of_base: np.ndarray, of_trips: np.ndarray) -> tuple[float, float]:
    """Return both ends without one view, which is gone as a reference and as a round trip."""
    kept = np.arange(of_trips.shape[1]) != view
    return _ends(of_tuned[:, kept], of_base[:, kept], of_trips[np.ix_(kept, kept)])


def _ratio(reached: float, length: float, spreads: tuple[tuple[np.ndarray, int], ...], seeds: int) -> Estimate | None:
    """Return reached / length with Fieller's interval; `spreads` are covariances (2, 2) with their freedom."""
    whole = sum(covariance for covariance, _ in spreads)
    ((reached_spread, shared), (_, length_spread)) = np.asarray(whole)
    value = reached / length if length else math.nan
    quantile = max(_quantile(spreads, np.array(u)) for u in ((0.0, 1.0), (1.0, -value)))
    if not length > 0 or quantile * math.sqrt(length_spread) > _KNOWN * length:
        return None
    # The ends solve (reached - x * length)^2 = quantile^2 * variance(reached - x * length).
    a = length**2 - quantile**2 * length_spread
    b = reached * length - quantile**2 * shared
    c = reached**2 - quantile**2 * reached_spread
    root = math.sqrt(max(0.0, b * b - a * c))
    return Estimate(value, float((b - root) / a), float((b + root) / a), seeds, "share")


def _quantile(spreads: tuple[tuple[np.ndarray, int], ...], u: np.ndarray) -> float:
    """Return Student's quantile for the combination u of both ends (Satterthwaite's freedom)."""
    parts = [(float(u @ covariance @ u), freedom) for covariance, freedom in spreads]
    whole = sum(part for part, _ in parts)
    if not whole > 0:
        return 0.0
    freedom = whole**2 / sum(part**2 / freedom for part, freedom in parts)
    return student_quantile(LEVEL, freedom)
