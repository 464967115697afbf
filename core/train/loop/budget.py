"""The drift budget: dual ascent on the weight of drift correction.

The weight is the multiplier of the constraint drift <= budget. It rises while measured drift is beyond its aim and
falls slowly while it is below, in proportion to the logarithm of their ratio.
"""

import math

AIM = 0.8
"""Share of the budget that is aimed at: drift is measured at intervals, and grows in between."""
RISE, FALL = 1.0, 0.1
"""Exponents of the ratio by which the weight changes while drift is beyond its aim, and below it."""
LARGEST_STEP = math.log(4)
"""Logarithm of the most by which one measurement changes the weight: it knows drift from few prompts."""
RANGE = (1e-2, 1e4)
"""Smallest and largest weight."""


def followed(weight: float, drift: float, budget: float) -> float:
    """Return the weight after a measurement of drift that is to end at or below the budget."""
    ratio = math.log(max(drift, 1e-12) / (AIM * budget))
    change = max(-LARGEST_STEP, min(LARGEST_STEP, ratio)) * (RISE if ratio > 0 else FALL)
    return min(max(weight * math.exp(change), RANGE[0]), RANGE[1])
