"""Rank correlation over groups: values known beforehand, and intervals that hold."""

import numpy as np
import pytest
from owf.core.experiments.findings.correlation import LEAST_GROUPS, rank_correlation
from scipy.stats import spearmanr


def test_the_value_is_spearmans():
    draws = np.random.default_rng(0)
    x, y = draws.integers(0, 5, 40), draws.integers(0, 5, 40)  # with ties
    found = rank_correlation(x.tolist(), y.tolist(), range(40))
    assert found.value == pytest.approx(spearmanr(x, y)[0])
    assert rank_correlation([1, 2, 3, 9, 10], [2, 4, 5, 6, 100], range(5)).value == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 9, 10], [5, 4, 3, 2, 1], range(5)).value == pytest.approx(-1)


def test_what_does_not_vary_has_no_correlation():
    assert rank_correlation([1, 1, 1], [1, 2, 3], range(3)) is None
    assert rank_correlation([], [], []) is None


def test_few_groups_say_nothing_however_many_rows_they_have():
    rows = list(range(400))
    few = rank_correlation(rows, rows, [i % (LEAST_GROUPS - 1) for i in rows])
    assert (few.value, few.low, few.high, few.n) == (pytest.approx(1), -1, 1, LEAST_GROUPS - 1)


def test_intervals_of_groups_hold_where_rows_of_a_group_are_alike():
    """Rows that share their group's luck: counting them one by one would cover far too seldom."""
    draws, held = np.random.default_rng(1), 0
    for _ in range(200):
        group = np.repeat(np.arange(20), 5)
        x = draws.normal(size=20)[group] + 0.1 * draws.normal(size=100)
        y = draws.normal(size=20)[group] + 0.1 * draws.normal(size=100)
        found = rank_correlation(x.tolist(), y.tolist(), group.tolist())
        held += found.low <= 0 <= found.high
    # 95 % of 200 is 190 with a deviation of 3.1; the jackknife may be a little short of it.
    assert held >= 176
