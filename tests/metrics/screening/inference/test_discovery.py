"""False discoveries at their nominal rate, and counts that closed testing knows."""

from itertools import combinations

import numpy as np
import pytest
from owf.core.metrics.screening.inference.discovery import discoveries, selected_level, share_bounds, true_at_least
from planted_rows import seen

RUNS = 300


def test_discoveries_are_those_of_the_step_up_procedure():
    p = np.array([0.9, 0.001, 0.02, 0.03, 0.3])  # thresholds 0.01, 0.02, 0.03, 0.04, 0.05: the third smallest holds
    assert discoveries(p, 0.05).tolist() == [False, True, True, True, False]
    assert not discoveries(np.array([0.2, 0.06]), 0.05).any()


def by_all_subsets(p, error):
    """Return the least number of false hypotheses by closed testing, the long way."""
    count = len(p)
    largest = 0
    for size in range(1, count + 1):
        for chosen in combinations(range(count), size):
            ordered = np.sort(p[list(chosen)])
            if (ordered > error * np.arange(1, size + 1) / size).all():
                largest = size
    return count - largest


def test_counts_are_those_of_closed_testing():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.uniform(0, 1, 7) ** rng.integers(1, 6)
        assert true_at_least(p, 0.1) == by_all_subsets(p, 0.1)
    assert true_at_least(np.zeros(5), 0.05) == 5
    assert true_at_least(np.ones(5), 0.05) == 0


@pytest.mark.parametrize("damaged", [0, 5, 40])
def test_false_discoveries_and_shares_hold(damaged):
    """Concepts at the limit are the hardest that are harmless, and the damaged lie in reach of two rows."""
    rng, truth = np.random.default_rng(damaged), np.zeros(100)
    truth[:damaged] = 3
    false, covered = [], []
    for _ in range(RUNS):
        p = seen(truth, rng).above(0.0)
        found = discoveries(p, 0.05)
        false.append(found[damaged:].sum() / max(found.sum(), 1))
        low, high = share_bounds(p, 0.05)
        covered.append(low <= damaged / 100 <= high)
    # A share of false discoveries is within 0 and 1: its standard error is at most that of a coin of its mean.
    assert np.mean(false) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / RUNS)
    assert np.mean(covered) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / RUNS)


def test_shares_are_narrow_where_it_is_plain():
    p = seen(np.repeat([9.0, -9.0], [10, 90]), np.random.default_rng(0)).above(0.0)
    assert share_bounds(p, 0.05) == pytest.approx((0.1, 0.1))


def test_intervals_of_the_selected_cover_where_plain_ones_do_not():
    rng, truth = np.random.default_rng(1), np.zeros(100)
    truth[:20] = 2
    missed, plain = [], []
    for _ in range(RUNS):
        means = seen(truth, rng)
        found = discoveries(means.above(0.0), 0.2)
        if not found.any():
            missed.append(0.0)
            continue
        for level, into in ((selected_level(int(found.sum()), 100, 0.95), missed), (0.95, plain)):
            low, high = means.interval(level)
            into.append(((truth < low) | (truth > high))[found].mean())
    assert np.mean(plain) > 0.10
    assert np.mean(missed) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / RUNS)


def test_fresh_rows_of_the_picked_ones_hold_their_level():
    """A split: what is picked by some rows is tested by others, and only the picked ones count."""
    rng, truth, false = np.random.default_rng(2), np.zeros(60), []
    for _ in range(RUNS):
        picked = np.argsort(seen(truth, rng).above(0.0))[:5]
        fresh = seen(truth, rng).above(0.0)[picked]
        false.append((fresh <= 0.05 / len(picked)).any())
    assert np.mean(false) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / RUNS)
