"""A confidence sequence: an interval of a mean that holds at every look together, however often one looks."""

import math

import numpy as np

from ....errors import InvalidError
from ...measurement import Estimate
from ...statistics import LEVEL

_GRID = 2001
"""Candidates of the mean: the interval's ends are exact to 1 / 2000 of the range, outward."""


def mean_sequence(
    values: np.ndarray, least: float, most: float, unit: str = "", level: float = LEVEL, risked: float = 0.5
) -> list[Estimate]:
    """Return, after each value (n,), the mean so far and an interval of the true mean; they shrink into one another.

    Values lie in [least, most] and each has the true mean given those before it; nothing else is assumed. After
    Waudby-Smith and Ramdas (2024, JRSS B, "hedged capital"): whoever bets against a wrong mean grows rich, and against
    the true one is above 1 / error at any time with probability `error` at most (Ville). Against each candidate m, half
    of the capital is bet on "above" and half on "below"; the interval is that of the candidates that nobody grew rich
    against. No bet risks more than the share `risked` of it. Raises InvalidError for values out of bounds or NaN.
    """
    values = np.asarray(values, np.float64)
    if not ((values >= least) & (values <= most)).all():
        raise InvalidError(f"A measured number is not within {least:g} and {most:g}, so it says nothing.")
    scaled, means = (values - least) / (most - least), np.linspace(0, 1, _GRID)
    bets = _bets(scaled, 1 - level)
    gain = np.zeros((2, _GRID))
    rich = math.log(2 / (1 - level))
    low, high, sequence = 0.0, 1.0, []
    for i, (value, bet) in enumerate(zip(scaled, bets, strict=True)):
        gain[0] += np.log1p(_capped(bet, means, risked) * (value - means))
        gain[1] += np.log1p(-_capped(bet, 1 - means, risked) * (value - means))
        # The sum of both halves is at least the larger one. Each is monotone in m, so what is left is an interval.
        left = means[gain.max(axis=0) < rich]
        if len(left):  # with probability `error` nothing is left: then the last interval stays
            low = min(max(low, left[0] - 1 / (_GRID - 1)), high)
            high = max(min(high, left[-1] + 1 / (_GRID - 1)), low)
        ends = [least + end * (most - least) for end in (low, high)]
        sequence.append(Estimate(float(values[: i + 1].mean()), ends[0], ends[1], i + 1, unit))
    return sequence


def _bets(scaled: np.ndarray, error: float) -> np.ndarray:
    """Return the share of the capital that is bet on each value, from those before it (their equation 26)."""
    count = np.arange(1, len(scaled) + 1)
    means = (0.5 + np.cumsum(scaled)) / (count + 1)
    variances = (0.25 + np.cumsum(np.square(scaled - means))) / (count + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    return np.sqrt(2 * math.log(2 / error) / (before * count * np.log(count + 1)))


def _capped(bet: float, distance: np.ndarray, risked: float) -> np.ndarray:
    """Return the bet, and no more than loses that share of the capital whatever comes."""
    return np.minimum(bet, risked / distance.clip(1e-12))
