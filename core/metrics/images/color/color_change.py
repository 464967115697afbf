"""What changed in the colours of many prompts together: lightness, saturation, contrast, tint, and hues. No torch."""

from dataclasses import dataclass

import numpy as np

from ...measurement import Estimate
from ...statistics import (
    ANYWHERE,
    RELATIVE_CHANGE,
    Range,
    jackknife_spread,
    simultaneous_level,
    spread_estimate,
)
from .color_turn import common_turn

UNITS = {
    "lightness_shift": "L*",
    "saturation_change": "relative",
    "contrast_change": "relative",
    "tint_a": "a*",
    "tint_b": "b*",
}
"""Signed estimate -> its unit, in the order of `changes`."""

_RANGES: dict[str, Range] = {
    "lightness_shift": (-100.0, 100.0),
    "saturation_change": RELATIVE_CHANGE,
    "contrast_change": RELATIVE_CHANGE,
}
"""Signed estimate -> what it can be: L* is 0 to 100, and nothing fades by more than all."""

_SURE = simultaneous_level(len(UNITS))
"""Level of each signed interval; those of UNITS hold together."""

_FLAT = 1.0
"""Spread of the base's colours, or of the lightness within its pictures, below which no share of it is told: a
difference of 1 is not seen."""
_ROUNDING = 1e-9
"""Change that arithmetic makes of none, as of grays: no byte of a picture changes anything so little."""


def changes(before: np.ndarray, after: np.ndarray, turn: np.ndarray | float = 0.0) -> np.ndarray:
    """Return the five signed changes (..., 5), in the order of UNITS, of moments (..., 5) that are pooled already.

    Colours c = a* + i b* went to s exp(i turn) c + t, the turn (...) given in degrees: s is told by how far they
    spread, about their mean, and t by where their mean went besides. So a tint t is no change of saturation, and
    colours that fade or whose hues turn together are no tint. Both s and the change of contrast are NaN where the base
    has next to nothing that could change.
    """
    lightness, a, b, squares, contrast = np.moveaxis(np.stack([before, after]), -1, 0)
    spread = np.sqrt((squares - a**2 - b**2).clip(0))
    scale = np.where(spread[0] >= _FLAT, spread[1] / np.maximum(spread[0], _FLAT), np.nan)
    deep = np.sqrt(contrast)
    contrasts = np.where(deep[0] >= _FLAT, deep[1] / np.maximum(deep[0], _FLAT), np.nan)
    kept = np.where(np.isnan(scale), 1.0, scale)
    cosine, sine = kept * np.cos(np.radians(turn)), kept * np.sin(np.radians(turn))
    tint = (a[1] - cosine * a[0] + sine * b[0], b[1] - sine * a[0] - cosine * b[0])
    found = np.stack([lightness[1] - lightness[0], scale - 1, contrasts - 1, *tint], axis=-1)
    return np.where(np.abs(found) < _ROUNDING, 0.0, found)


def _without_each(moments: np.ndarray) -> np.ndarray:
    """Return the mean (P, 5) of moments (P, 5) without each prompt."""
    return (moments.sum(0) - moments) / (len(moments) - 1)


@dataclass(frozen=True)
class Changed:
    """What changed in the pictures of all P prompts together."""

    turn: Estimate | None
    """By how much all hues turned, where that can be known."""
    whole: np.ndarray
    """(5,) `changes`."""
    without: np.ndarray
    """(P, 5) the same without each prompt."""

    def estimate(self, name: str) -> Estimate | None:
        """Return a signed change with its interval; None where there is nothing that could change."""
        which = list(UNITS).index(name)
        value, without = self.whole[which], self.without[:, which]
        if np.isnan([value, *without]).any():
            return None
        spread, within = jackknife_spread(without), _RANGES.get(name, ANYWHERE)
        return spread_estimate(float(value), spread, len(without), UNITS[name], _SURE, within)


def changed(before: np.ndarray, after: np.ndarray) -> Changed:
    """Return what changed between moments (P, 5); a turn is taken out of the tints where there clearly is one."""
    turn, turns = common_turn(before[:, 1:3] @ (1, 1j), after[:, 1:3] @ (1, 1j), _SURE)
    if turn is None or turn.low <= 0 <= turn.high:
        whole, each = 0.0, np.zeros(len(before))
    else:
        whole, each = turn.value, turns
    without = changes(_without_each(before), _without_each(after), each)
    return Changed(turn, changes(before.mean(0), after.mean(0), whole), without)
