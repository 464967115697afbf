"""Concepts' means are free of timesteps and pictures, and their errors are those of least squares."""

import numpy as np
import pytest
from owf.core.errors import InvalidError
from owf.core.metrics.screening.inference.rows import concept_means
from owf.core.plan.screening.block_design import block_design
from planted_rows import PICTURES, TIMESTEPS, centred, seen


def test_means_are_exact_without_noise():
    rng = np.random.default_rng(0)
    cells = block_design(30, 2, 8, 8, seed=0)
    truth, timestep, picture = rng.normal(0, 1, 30), centred(rng.normal(0, 5, 8)), centred(rng.normal(0, 5, 8))
    found = concept_means(truth[:, None] + timestep[cells.timestep] + picture[cells.picture], cells)
    assert found.mean == pytest.approx(truth, abs=1e-9)
    # Of the least variance, 1e-12: half of it of two rows, and what timesteps and pictures share of it.
    assert found.spread == pytest.approx(np.zeros(30), abs=2e-6)


def test_errors_are_those_of_the_whole_regression():
    rng = np.random.default_rng(1)
    concepts, rows, timesteps, pictures = 9, 3, 6, 5
    cells = block_design(concepts, rows, timesteps, pictures, seed=0)
    values = rng.normal(0, 1, (concepts, rows))
    found = concept_means(values, cells)

    def contrasts(levels, count):
        return np.concatenate([np.eye(count - 1), -np.ones((1, count - 1))])[levels.ravel()]

    own = np.repeat(np.eye(concepts), rows, axis=0)
    columns = np.hstack([own, contrasts(cells.timestep, timesteps), contrasts(cells.picture, pictures)])
    coefficients = np.linalg.lstsq(columns, values.ravel(), rcond=None)[0]
    freedom = values.size - columns.shape[1]
    variance = np.square(values.ravel() - columns @ coefficients).sum() / freedom
    covariance = variance * np.linalg.inv(columns.T @ columns)[:concepts, :concepts]
    assert found.freedom == freedom
    assert found.mean == pytest.approx(coefficients[:concepts])
    assert found.spread == pytest.approx(np.sqrt(np.diag(covariance)))
    share = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0]) / 3
    assert found.of(share > 0) == pytest.approx((share @ found.mean, np.sqrt(share @ covariance @ share)))


def test_intervals_cover():
    # 200 x 48 intervals; those of one run share their variance, 200 * 40 degrees of freedom in all: within a point
    rng, hits = np.random.default_rng(2), []
    for _ in range(200):
        truth = rng.normal(0, 1, 48)
        low, high = seen(truth, rng).interval(0.95)
        hits.append(((low <= truth) & (truth <= high)).mean())
    assert 0.94 < np.mean(hits) < 0.96


def test_p_values_are_uniform_where_the_limit_is_the_truth_and_smaller_the_larger_the_damage():
    rng = np.random.default_rng(3)
    p = np.concatenate([seen(np.zeros(48), rng).above(0.0) for _ in range(200)])
    for level in (0.01, 0.05, 0.5):  # 9,600 tests, nearly independent: four standard errors
        assert np.mean(p <= level) == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / len(p)))
    planted = [seen(np.full(48, size), np.random.default_rng(4)).above(0.0) for size in (0.0, 0.5, 2.0)]
    assert (planted[0] > planted[1]).all() and (planted[1] > planted[2]).all()


def test_what_says_nothing_is_invalid():
    cells = block_design(8, 1, TIMESTEPS, PICTURES, seed=0)
    with pytest.raises(InvalidError, match="too few"):
        concept_means(np.zeros((8, 1)), cells)
    with pytest.raises(InvalidError, match="NaN"):
        concept_means(np.full((8, 1), np.nan), cells)
