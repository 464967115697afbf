"""Rank correlation with an interval that knows which rows belong together. Pure numpy and scipy."""

from collections.abc import Sequence

import numpy as np

from ...metrics.measurement import Estimate
from ...metrics.statistics import jackknife_spread, student_quantile

LEAST_GROUPS = 5
"""Groups below which the jackknife says nothing: of four, the t quantile alone is above three."""
_CLOSEST = 1 - 1e-3
"""Correlation at which Fisher's transform is cut off: beyond it is infinite, and ranks of few rows reach 1 by luck."""


def rank_correlation(x: Sequence[float], y: Sequence[float], groups: Sequence[object]) -> Estimate | None:
    """Return Spearman's correlation of two columns (n,), with a 95 % interval over the groups that rows belong to.

    The interval is a jackknife's over groups on Fisher's scale, so that many pictures of one LoRA count as one. With
    fewer than `LEAST_GROUPS` it is everything. None where a column does not vary.
    """
    value = _correlation(np.asarray(x), np.asarray(y))
    if value is None:
        return None
    names = list(dict.fromkeys(groups))
    member = np.array([names.index(group) for group in groups])
    without = [_correlation(np.asarray(x)[member != g], np.asarray(y)[member != g]) for g in range(len(names))]
    known = [w for w in without if w is not None]
    if len(names) < LEAST_GROUPS or len(known) < len(names):
        return Estimate(value, -1.0, 1.0, len(names))
    spread = jackknife_spread(_fisher(np.array(known)))
    middle, half = float(_fisher(np.array(value))), student_quantile(0.95, len(names) - 1) * spread
    return Estimate(value, float(np.tanh(middle - half)), float(np.tanh(middle + half)), len(names))


def _correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    return _pearson(ranks(x), ranks(y)) if len(x) else None


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks (n,) of values (n,) from 1; those that are equal share theirs."""
    from scipy.stats import rankdata

    return rankdata(np.asarray(values, np.float64))


def _pearson(x: np.ndarray, y: np.ndarray) -> float | None:
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / scale if scale > 0 else None


def _fisher(value: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(value, -_CLOSEST, _CLOSEST))
