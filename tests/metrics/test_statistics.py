"""Intervals cover what they claim to cover."""

import numpy as np
import pytest
import scipy.stats
from owf.core.errors import InvalidError
from owf.core.metrics.statistics import (
    CHANGE_OF_SHARE,
    DISTANCE,
    SHARE,
    accuracy_estimate,
    drop_estimate,
    mean_estimate,
    normal_quantile,
    products_estimate,
    ratio_estimate,
    simultaneous_level,
    spread_estimate,
    student_quantile,
)


def covered(estimate, truth) -> bool:
    return estimate.low <= truth <= estimate.high


# 1,000 repetitions of a 95 % interval: the standard error of the observed coverage is 0.7 points
REPETITIONS, LEAST = 1000, 0.93


def test_mean_interval_covers():
    rng = np.random.default_rng(0)
    hits = [covered(mean_estimate(rng.normal(2, 3, 12)), 2) for _ in range(REPETITIONS)]
    assert LEAST < np.mean(hits) < 0.97


def test_ratio_interval_covers():
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(REPETITIONS):
        norm = rng.gamma(8, 1, 40)
        hits.append(covered(ratio_estimate(norm * rng.normal(0.3, 0.1, 40), norm), 0.3))
    assert np.mean(hits) > LEAST


@pytest.mark.parametrize(("lose", "gain"), [(0.0, 0.0), (0.02, 0.02), (0.15, 0.05), (0.3, 0.0)])
def test_paired_drop_interval_covers(lose, gain):
    rng = np.random.default_rng(2)
    hits = []
    for _ in range(REPETITIONS):
        outcome = rng.choice(3, size=60, p=[lose, gain, 1 - lose - gain])
        hits.append(covered(drop_estimate(outcome != 1, outcome != 0), lose - gain))
    assert np.mean(hits) > LEAST


def test_drop_of_equal_answers_is_zero_with_a_real_interval():
    found = drop_estimate(np.ones(50, bool), np.ones(50, bool))
    assert (found.value, found.n) == (0.0, 50)
    assert found.low < 0 < found.high


def test_accuracy_interval_stays_within_zero_and_one():
    sure, never = accuracy_estimate(np.ones(10, bool)), accuracy_estimate(np.zeros(10, bool))
    assert 0.5 < sure.low < sure.high <= 1
    assert 0 <= never.low < never.high < 0.5


@pytest.mark.parametrize(("right", "n"), [(0, 7), (3, 10), (114, 150), (20, 20)])
@pytest.mark.parametrize("level", [0.95, 0.995])
def test_accuracy_interval_is_scipys_wilson_interval(right, n, level):
    seen = accuracy_estimate(np.arange(n) < right, level)
    expected = scipy.stats.binomtest(right, n).proportion_ci(level, "wilson")
    assert (seen.low, seen.high) == pytest.approx((expected.low, expected.high), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
def test_quantiles_are_scipys(level):
    assert normal_quantile(level) == pytest.approx(scipy.stats.norm.ppf(0.5 + level / 2), rel=1e-12)
    assert student_quantile(level, 7) == pytest.approx(scipy.stats.t.ppf(0.5 + level / 2, 7), rel=1e-12)


def test_simultaneous_level_splits_the_error():
    assert simultaneous_level(10) == pytest.approx(0.995)


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [np.inf, 1.0]])
def test_empty_or_non_finite_samples_are_invalid(values):
    with pytest.raises(InvalidError):
        mean_estimate(np.array(values))


def test_one_sample_has_an_unbounded_interval():
    found = mean_estimate(np.array([1.0]))
    assert (found.low, found.high) == (-np.inf, np.inf)


@pytest.mark.parametrize("within", [SHARE, DISTANCE, CHANGE_OF_SHARE])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_no_interval_ends_where_its_quantity_cannot_be(within, n):
    values = np.linspace(max(within[0], 0.0), 1.0, n)
    for found in (
        mean_estimate(values, level=0.999, within=within),
        ratio_estimate(values, np.ones(n), level=0.999, within=within),
        spread_estimate(values[-1], 10.0, n, within=within),
    ):
        assert within[0] <= found.low <= found.value <= found.high <= within[1]


def test_a_range_leaves_ends_inside_as_they_are():
    values = np.array([0.4, 0.5, 0.6])
    assert mean_estimate(values, within=SHARE) == mean_estimate(values)


def test_products_of_vectors_give_the_squared_length_of_their_mean_without_bias():
    rng = np.random.default_rng(5)
    mean, hits, values = np.array([0.3, -0.4, 0.0]), [], []
    for _ in range(REPETITIONS):
        vectors = mean + rng.normal(0, 1, (20, 3))
        found = products_estimate(vectors @ vectors.T, np.ones(20))
        values.append(found.value)
        hits.append(covered(found, 0.25))
    # its standard deviation is about sqrt(4 * 0.25 / 20 + 2 * 3 / 20^2) = 0.25; 4 standard errors of the mean
    assert np.mean(values) == pytest.approx(0.25, abs=4 * 0.25 / np.sqrt(REPETITIONS))
    assert np.mean(hits) > LEAST
