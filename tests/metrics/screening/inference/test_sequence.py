"""A confidence sequence holds at every look together."""

import math
from itertools import pairwise

import numpy as np
import pytest
from owf.core.errors import InvalidError
from owf.core.metrics.screening.inference.sequence import mean_sequence

# The error of 5 % is a bound by Ville's inequality; of 120 runs, 12 or more would exceed it with a chance of 2 %.
RUNS, LENGTH, MOST_WRONG = 120, 80, 12

DIFFERENCES = {
    "answers lost and won": lambda rng: rng.choice([-1.0, 0.0, 1.0], LENGTH, p=[0.1, 0.7, 0.2]),
    "small shifts": lambda rng: rng.normal(0.1, 0.05, LENGTH).clip(-1, 1),
    "anything": lambda rng: rng.uniform(-0.8, 1.0, LENGTH),
}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_the_mean_is_inside_at_every_look(kind):
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(RUNS):
        wrong += any(not e.low <= 0.1 <= e.high for e in mean_sequence(DIFFERENCES[kind](rng), -1, 1))
    assert wrong < MOST_WRONG


def test_intervals_shrink_into_one_another_and_to_the_mean():
    values = np.random.default_rng(1).normal(0.3, 0.1, 400).clip(-1, 1)
    found = mean_sequence(values, -1, 1)
    assert all(a.low <= b.low <= b.high <= a.high for a, b in pairwise(found))
    assert found[-1].value == pytest.approx(values.mean())
    # Hoeffding's interval of one look alone is 0.136 wide on either side; this one learns that the spread is small.
    assert found[-1].low > 0.3 - 0.1 and found[-1].high < 0.3 + 0.1


def test_one_value_is_bet_on_as_written():
    """After one value x, the capital against m is 1 + b (x - m): on the grid its ends are known by hand."""
    [found] = mean_sequence(np.array([1.0]), 0, 1, level=0.2)
    bet = math.sqrt(2 * math.log(2 / 0.8) / (0.25 * math.log(2)))  # the first bet at error 0.8, before its cap
    for m in np.linspace(0.001, 0.999, 999):
        capital = 1 + min(bet, 0.5 / m) * (1 - m)
        if m < found.low - 1e-3:
            assert capital >= 2 / 0.8
        if m > found.low + 2e-3:
            assert capital < 2 / 0.8
    assert found.high == 1


def capital(values, m, error, risked):
    """Return what the richer of both bettors against m has after each value in [0, 1], step by step as it is defined.

    Half of the capital each; the bet is sqrt(2 log(2 / error) / (variance t log(t + 1))), the variance that of the
    values before, with one more of 1/4 around a mean of 1/2.
    """
    above = below = 0.5
    mean_sum, squares, had = 0.5, 0.25, []
    for t, value in enumerate(values, 1):
        bet = math.sqrt(2 * math.log(2 / error) / (squares * math.log(t + 1)))
        above *= 1 + min(bet, risked / m) * (value - m)
        below *= 1 - min(bet, risked / (1 - m)) * (value - m)
        mean_sum += value
        squares += (value - mean_sum / (t + 1)) ** 2
        had.append(max(above, below))
    return had


@pytest.mark.parametrize("risked", [0.5, 0.9])
@pytest.mark.parametrize("level", [0.95, 0.9875])
def test_the_interval_is_that_of_the_means_nobody_grew_rich_against(level, risked):
    values = np.random.default_rng(3).choice([0.0, 0.5, 1.0], 40, p=[0.1, 0.4, 0.5])
    found, step = mean_sequence(values, 0, 1, level=level, risked=risked), 1 / 2000
    for m in np.linspace(0.02, 0.98, 49):
        rich = np.maximum.accumulate(capital(values, m, 1 - level, risked)) >= 1 / (1 - level)
        for is_rich, look in zip(rich, found, strict=True):
            if look.low + 2 * step < m < look.high - 2 * step:
                assert not is_rich
            if not look.low - 2 * step < m < look.high + 2 * step:
                assert is_rich


def test_a_larger_damage_is_decided_earlier():
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.2, 200)

    def decided(size):
        looks = (e.n for e in mean_sequence((noise + size).clip(-1, 1), -1, 1) if e.low > 0.1)
        return next(looks, math.inf)

    assert decided(0.7) < decided(0.4) < decided(0.25) < math.inf
    assert decided(0.1) == math.inf


@pytest.mark.parametrize("values", [[0.5, 1.5], [np.nan]])
def test_what_is_out_of_bounds_is_invalid(values):
    with pytest.raises(InvalidError, match="not within"):
        mean_sequence(np.array(values), -1, 1)


def test_ends_stay_within_the_range():
    found = mean_sequence(np.ones(300), -1, 1)[-1]
    assert 0.9 < found.low <= found.high <= 1
