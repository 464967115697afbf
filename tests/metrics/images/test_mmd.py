"""MMD and its leave-one-out values from matrix sums: those of the definition, term by term."""

import numpy as np
import pytest
import scipy.stats
from owf.core.metrics.images.mmd import kernel_spread, mmd, mmd_without_each, polynomial_kernel
from owf.core.metrics.images.unpaired import kid_of_sets


def slow_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Gretton et al. (2012), lemma 6, one kernel value after another."""
    kernel = lambda x, y: (float(x @ y) / len(x) + 1) ** 3  # noqa: E731
    within = [np.mean([kernel(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]) for s in (a, b)]
    return float(sum(within) - 2 * np.mean([kernel(x, y) for x in a for y in b]))


def slow_without_each(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([slow_mmd(np.delete(a, i, 0), b) for i in range(len(a))]),
        np.array([slow_mmd(a, np.delete(b, i, 0)) for i in range(len(b))]),
    )


def kernels(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return polynomial_kernel(a, a), polynomial_kernel(a, b), polynomial_kernel(b, b)


def two_sets(n: int, m: int, shift: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(100 * n + m)
    return rng.normal(size=(n, 5)), rng.normal(shift, 1.3, size=(m, 5))


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 7), (9, 4)])
def test_mmd_and_its_leave_one_out_values_are_the_definitions(n, m):
    a, b = two_sets(n, m)
    # Kernel values are a few units at most here, and their means are added thrice: some 1e-15 of rounding.
    assert mmd(*kernels(a, b)) == pytest.approx(slow_mmd(a, b), rel=1e-12)
    for seen, expected in zip(mmd_without_each(*kernels(a, b)), slow_without_each(a, b), strict=True):
        np.testing.assert_allclose(seen, expected, rtol=1e-12)


def test_the_meters_interval_is_the_jackknife_over_both_sets():
    a, b = two_sets(6, 8)
    without = slow_without_each(a, b)
    spread = np.sqrt(sum((len(w) - 1) * w.var() for w in without))
    seen = kid_of_sets(a, b, "normal", 0).estimates["kid"]
    assert seen.value == pytest.approx(slow_mmd(a, b), rel=1e-12)
    assert seen.value - seen.low == pytest.approx(scipy.stats.t.ppf(0.975, 5) * spread, rel=1e-12)


def test_the_spread_counts_no_pair_of_one_group():
    a, groups = two_sets(4, 3)[0], np.array([0, 1, 1, 2])
    kernel = polynomial_kernel(a, a)
    pairs = [kernel[i, j] for i in range(4) for j in range(4) if groups[i] != groups[j]]
    assert kernel_spread(kernel, groups) == pytest.approx(np.diagonal(kernel).mean() - np.mean(pairs), rel=1e-12)
