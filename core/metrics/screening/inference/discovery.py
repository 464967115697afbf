"""Which tests of many found something, and how many did at least and at most."""

import numpy as np


def discoveries(p: np.ndarray, rate: float) -> np.ndarray:
    """Return which of the tests (V,) found something, at a false discovery rate (Benjamini and Hochberg 1995)."""
    order = np.argsort(p, kind="stable")
    passed = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / len(p))
    found = np.zeros(len(p), bool)
    if len(passed):
        found[order[: passed[-1] + 1]] = True
    return found


def selected_level(selected: int, tested: int, level: float) -> float:
    """Return the level of the intervals of what `discoveries` chose, so that on average that share of them covers.

    False coverage rate (Benjamini and Yekutieli 2005): choosing the largest makes plain intervals cover too seldom.
    """
    return 1 - (1 - level) * max(selected, 1) / tested


def true_at_least(p: np.ndarray, error: float) -> int:
    """Return how many of the tests (V,) are of a false hypothesis at least, with probability 1 - error.

    Closed testing with Simes' test (Goeman and Solari 2011): all but the largest set that Simes' test does not reject
    at `error`, whose size is Hommel's (1988).
    """
    p, count = np.sort(p), len(p)
    for size in range(count, 0, -1):
        if (p[count - size :] > error * np.arange(1, size + 1) / size).all():
            return count - size
    return count


def share_bounds(above: np.ndarray, error: float) -> tuple[float, float]:
    """Return the least and the largest share of tested values above a limit, that hold together at 1 - error.

    `above` (V,) are the p-values of "at most the limit"; those of "at least the limit" are the rest to 1.
    """
    count = len(above)
    return true_at_least(above, error / 2) / count, 1 - true_at_least(1 - above, error / 2) / count
