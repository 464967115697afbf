"""Foretelling: what is linear is found, what is not there is not, and intervals hold what they are to hold."""

import numpy as np
import pytest
from owf.core.experiments.findings.foretell import COVERED, FOLDS, RIDGE, folds_of, foretell


def test_folds_are_groups_where_there_are_enough():
    assert folds_of(["a", "b", "a", "c"]).tolist() == [0, 1, 0, 2]
    assert folds_of(["a", "b"] * 8).tolist() == [*range(FOLDS), *range(16 - FOLDS)]


def test_one_column_is_shrunk_as_the_formula_says():
    x, y = np.array([[-1.0], [1.0], [5.0]]), np.array([-3.0, 3.0, 0.0])
    found = foretell(x, y, np.array([0, 0, 1]))
    # Standardised, the first two rows are -1 and 1: their coefficient is 6 / (2 + RIDGE).
    assert found.predicted[2] == pytest.approx(5.0 * 6 / (2 + RIDGE))


def test_a_linear_target_is_foretold_and_noise_is_not():
    draws = np.random.default_rng(0)
    columns = draws.normal(size=(400, 6))
    folds = folds_of(range(400))
    linear = columns @ np.arange(6.0)
    # Of 399 rows a penalty of one row shrinks coefficients by a 400th.
    assert np.corrcoef(foretell(columns, linear, folds).predicted, linear)[0, 1] > 0.9999
    noise = draws.normal(size=400)
    assert abs(np.corrcoef(foretell(columns, noise, folds_of(["x"] * 400)).predicted, noise)[0, 1]) < 0.2


def test_intervals_hold_as_many_rows_as_they_are_to_hold():
    draws = np.random.default_rng(1)
    held = []
    for _ in range(50):
        columns = draws.normal(size=(80, 4))
        target = columns[:, 0] + draws.normal(size=80)
        held.append(foretell(columns, target, folds_of(["x"] * 80)).held(target))
    # The mean of 50 shares of 80 rows is known to a percent; the quantile of 72 rows is taken upwards by up to one row.
    assert COVERED - 0.03 < np.mean(held) < COVERED + 0.05


def test_a_column_that_does_not_vary_changes_nothing_and_one_fold_is_no_test():
    x, y = np.random.default_rng(2).normal(size=(20, 2)), np.arange(20.0)
    same = np.hstack([x, np.ones((20, 1))])
    folds = folds_of(range(20))
    np.testing.assert_allclose(foretell(same, y, folds).predicted, foretell(x, y, folds).predicted)
    with pytest.raises(ValueError, match="one fold"):
        foretell(x, y, np.zeros(20))
