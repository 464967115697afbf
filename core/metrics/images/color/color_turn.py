"""By how much all hues turned together, found from what prompts look like on average. No torch.

A turn of the whole circle of hues moves the mean colour as well, so whoever looks at that alone calls it a tint.
"""

import numpy as np

from ...measurement import Estimate
from ...statistics import jackknife_covariance, student_quantile

_LEAST = 3
"""Prompts, below which leaving one out leaves no two to compare."""
_ROUNDING = 1e-9
"""Turn in radians that arithmetic makes of none."""
_ALIKE = 1.0
"""Spread of the base's mean colours below which their circle has no direction: a difference of 1 is not seen."""


def common_turn(before: np.ndarray, after: np.ndarray, level: float) -> tuple[Estimate | None, np.ndarray]:
    """Return the turn in degrees of mean colours a* + i b* (P,) of prompts, and the turns (P,) without each of them.

    It is the angle of the covariance of `before` and `after` as complex numbers: colours that went to s exp(i turn) c +
    t have it whatever s > 0 and t are, and compositions that were rolled anew add 0 to it in expectation. Fieller's
    interval, of the jackknife's covariance, in the direction of the turn found. None where it has no ends: where the
    prompts' colours before say nothing of those after, or hardly differ.
    """
    count = len(before)
    of_before, of_after = before - before.mean(), after - after.mean()
    products = of_before.conj() * of_after
    whole = complex(products.sum()) / max(count - 1, 1)
    if count < _LEAST or np.sqrt(np.square(np.abs(of_before)).mean()) < _ALIKE or whole == 0:
        return None, np.zeros(count)
    without = (products.sum() - count / (count - 1) * products) / (count - 2)
    turn = float(np.angle(whole))
    if abs(turn) < _ROUNDING:
        turn = 0.0
    turned = without * np.exp(-1j * turn)
    turns = np.degrees(turn + np.angle(turned))
    (along, shared), (_, across) = jackknife_covariance(np.stack([turned.real, turned.imag], axis=1))
    quantile = student_quantile(level, count - 1)
    # The ends solve (x * length)^2 = quantile^2 * variance(imaginary part - x * real part), x being their tangent.
    a = abs(whole) ** 2 - quantile**2 * along
    if a <= 0:
        return None, turns
    middle, root = -(quantile**2) * shared, quantile * np.sqrt(quantile**2 * shared**2 + a * across)
    low, high = (float(np.degrees(turn + np.arctan((middle + sign * root) / a))) for sign in (-1, 1))
    return Estimate(float(np.degrees(turn)), low, high, count, "degrees"), turns
