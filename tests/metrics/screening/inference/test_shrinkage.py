"""Shrunk values are closer to the truth, and their intervals cover on average whatever the concepts are like."""

import numpy as np
import pytest
import scipy.stats
from owf.core.metrics.screening.inference.attributes import regress
from owf.core.metrics.screening.inference.shrinkage import critical_value, shrink

CONCEPTS, RUNS = 200, 60

WORLDS = {
    "alike": lambda rng: np.zeros(CONCEPTS),
    "normal": lambda rng: rng.normal(0, 1, CONCEPTS),
    "of two kinds": lambda rng: rng.choice([-1.0, 1.0], CONCEPTS),
    "a few far out": lambda rng: np.where(rng.random(CONCEPTS) < 0.05, 6.0, 0.0),
    "skewed": lambda rng: rng.exponential(1.0, CONCEPTS),
}


@pytest.mark.parametrize("world", WORLDS)
def test_intervals_cover_and_values_are_closer(world):
    rng, hits, shrunk, plain = np.random.default_rng(0), [], 0.0, 0.0
    for _ in range(RUNS):
        truth = WORLDS[world](rng)
        mean = truth + rng.normal(0, 0.8, CONCEPTS)
        found = shrink(mean, np.full(CONCEPTS, 0.8), regress(mean, np.full(CONCEPTS, 0.8), ()))
        hits.append(((found.low <= truth) & (truth <= found.high)).mean())
        shrunk += np.square(found.value - truth).sum()
        plain += np.square(mean - truth).sum()
    assert np.mean(hits) > 0.94  # 12,000 concepts, each run's sharing the variance between concepts
    assert shrunk < plain


def test_values_are_the_weighted_means():
    mean, spread = np.random.default_rng(1).normal(0, 2, 50), np.full(50, 0.5)
    regression = regress(mean, spread, ())
    own = regression.rest / (regression.rest + 0.25)
    assert regression.rest == pytest.approx(mean.var(ddof=1) - 0.25)
    assert shrink(mean, spread, regression).value == pytest.approx(own * mean + (1 - own) * mean.mean())


def test_the_critical_value_is_the_normal_one_without_bias_and_grows_with_it():
    assert critical_value(0.0, 0.05) == pytest.approx(scipy.stats.norm.ppf(0.975), abs=1e-6)
    values = [critical_value(bias, 0.05) for bias in (0.1, 0.5, 1.0, 4.0, 50.0)]
    assert values == sorted(values)
    assert values[-1] <= np.sqrt(51 / 0.05)


@pytest.mark.parametrize("bias", [0.2, 1.0, 5.0])
def test_the_critical_value_is_that_of_the_worst_two_biases(bias):
    half = critical_value(bias, 0.05)

    def missed(size):  # one in size^2 / bias concepts has a bias of `size`, the others none
        share = min(1.0, bias / size**2)
        inside = scipy.stats.norm.cdf(half - size) - scipy.stats.norm.cdf(-half - size)
        return share * (1 - inside) + (1 - share) * 2 * scipy.stats.norm.sf(half)

    worst = max(missed(size) for size in np.linspace(np.sqrt(bias), half + 6, 3000))
    assert worst == pytest.approx(0.05, abs=2e-4)
