"""Kernel distance: equality with torch-fidelity, the paired statistic, its interval and its test."""

import numpy as np
import pytest
import torch
from owf.core.errors import InvalidError
from owf.core.metrics import kid
from owf.core.metrics.images.mmd import polynomial_kernel
from owf.core.metrics.kid import (
    KidRows,
    paired_kid,
    permutation_p,
    subset_kid,
    summarise_kid,
)


def features(n: int, width: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, width))


def slow_paired(base: np.ndarray, tuned: np.ndarray) -> float:
    kernel = lambda a, b: (float(a @ b) / len(a) + 1) ** 3  # noqa: E731
    terms = [
        kernel(base[i], base[j]) + kernel(tuned[i], tuned[j]) - kernel(base[i], tuned[j]) - kernel(tuned[i], base[j])
        for i in range(len(base))
        for j in range(len(base))
        if i != j
    ]
    return float(np.mean(terms))


def fidelity(a: np.ndarray, b: np.ndarray, subsets: int, size: int, seed: int) -> tuple[float, float]:
    metric_kid = pytest.importorskip("torch_fidelity.metric_kid")
    seen = metric_kid.kid_features_to_metric(
        torch.from_numpy(a),
        torch.from_numpy(b),
        kid_subsets=subsets,
        kid_subset_size=size,
        rng_seed=seed,
        verbose=False,
    )
    return seen["kernel_inception_distance_mean"], seen["kernel_inception_distance_std"]


@pytest.mark.parametrize(("subsets", "size", "seed"), [(10, 50, 2020), (7, 33, 0), (3, 120, 5)])
def test_subset_kid_equals_torch_fidelity(subsets, size, seed):
    a, b = features(150, 64, 1), features(120, 64, 2, 0.3)
    np.testing.assert_allclose(subset_kid(a, b, subsets, size, seed), fidelity(a, b, subsets, size, seed), atol=1e-12)


def test_subset_kid_equals_torch_fidelity_on_float32_features_like_inceptions():
    # Non-negative, mean about 0.4, 2048 wide, as Inception's pooled features are. torch-fidelity computes in
    # float32 here, which costs kernel values near 2 about 2e-7 each.
    rng = np.random.default_rng(3)
    a, b = (rng.gamma(1.0, 0.4, (200, 2048)).astype(np.float32) for _ in range(2))
    b *= np.float32(1.1)
    np.testing.assert_allclose(subset_kid(a, b, 5, 100, 7), fidelity(a, b, 5, 100, 7), atol=1e-6)


def test_whole_set_subsets_equal_torch_fidelity():
    a, b = features(60, 16, 4), features(60, 16, 5, 0.2)
    np.testing.assert_allclose(subset_kid(a, b, 9, 60, 1), fidelity(a, b, 9, 60, 1), atol=1e-12)


def test_subsets_larger_than_the_set_are_refused():
    with pytest.raises(InvalidError, match="choose 2 to 20"):
        subset_kid(features(20, 4, 1), features(30, 4, 2), 5, 21, 0)


def test_kernel_is_the_plain_formula():
    a, b = features(5, 7, 1), features(4, 7, 2)
    np.testing.assert_allclose(polynomial_kernel(a, b), (a @ b.T / 7 + 1) ** 3, rtol=1e-14)
    assert polynomial_kernel(a.astype(np.float32), b.astype(np.float32)).dtype == np.float64


def test_paired_kid_equals_a_plain_double_loop():
    base = features(12, 5, 1)
    tuned = base + features(12, 5, 2, 0.4)
    assert paired_kid(base, tuned).value == pytest.approx(slow_paired(base, tuned), rel=1e-12)


def test_paired_kid_leave_one_out_equals_computing_it_again():
    base = features(9, 5, 3)
    tuned = base + features(9, 5, 4, 0.4)
    without = np.array([paired_kid(np.delete(base, i, 0), np.delete(tuned, i, 0)).value for i in range(9)])
    spread = np.sqrt(8 / 9 * ((without - without.mean()) ** 2).sum())
    seen = paired_kid(base, tuned)
    half = 2.306004 * spread  # t, 8 degrees of freedom
    assert seen.value - seen.low == pytest.approx(half, rel=1e-6)
    assert seen.high == pytest.approx(seen.value + half + half**2 / 4 / max(seen.value, half), rel=1e-6)


def test_groups_leave_out_products_within_a_prompt():
    base = features(8, 4, 5)
    tuned = base + features(8, 4, 6, 0.5)
    groups = np.array([2, 0, 1, 0, 2, 1, 1, 0])
    products = kid._difference_products(base, tuned)
    between = groups[:, None] != groups[None, :]
    seen = paired_kid(base, tuned, groups)
    assert seen.value == pytest.approx(products[between].mean(), rel=1e-12)
    assert seen.n == 3
    for left_out, other in [(0, (1, 2)), (1, (0, 2)), (2, (0, 1))]:
        rest = np.isin(groups, other)
        alone = paired_kid(base[rest], tuned[rest], groups[rest])
        assert alone.value == pytest.approx(products[np.ix_(rest, rest)][between[np.ix_(rest, rest)]].mean())
        assert left_out not in groups[rest]


def test_no_change_is_exactly_zero():
    base = features(37, 300, 7).astype(np.float32)
    seen = summarise_kid(KidRows(base, base.copy(), features(37, 300, 8), "test", 0))
    estimate = seen.estimates["kid"]
    assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)
    assert seen.facts["p_value"] == 1


def planted_pairs(rng: np.random.Generator, n: int, width: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Paired Gaussian features: correlation 0.8 within a pair, standard normal margins, tuned moved by `shift`."""
    base = rng.normal(size=(n, width))
    tuned = 0.8 * base + 0.6 * rng.normal(size=(n, width)) + shift
    return base, tuned


def gaussian_mmd(width: int, shift: float) -> float:
    """MMD^2 of N(0, I) and N(shift, I) under the kernel, in closed form.

    The cube of 1 + x y / d has the mean 1 + 3 m + 3 E[(x y)^2] / d^2 + E[(x y)^3] / d^3 with m = E[x y] / d.
    For means u, v: E[(x y)^2] = d + |u|^2 + |v|^2 + (u v)^2, and
    E[(x y)^3] = (u v)^3 + 3 (u v) (|u|^2 + |v|^2 + d + 2).
    """

    def mean(u: float, v: float) -> float:
        uv, uu, vv, d = width * u * v, width * u * u, width * v * v, width
        square = d + uu + vv + uv * uv
        cube = uv**3 + 3 * uv * (uu + vv + d + 2)
        return 1 + 3 * uv / d + 3 * square / d**2 + cube / d**3

    return mean(0, 0) + mean(shift, shift) - 2 * mean(0, shift)


def test_the_closed_form_is_the_large_sample_value():
    base, tuned = planted_pairs(np.random.default_rng(9), 2000, 8, 0.5)
    seen = paired_kid(base, tuned)
    assert seen.low < gaussian_mmd(8, 0.5) < seen.high
    assert (seen.high - seen.low) / seen.value < 0.2


@pytest.mark.parametrize(("shift", "n"), [(0.0, 40), (0.1, 40), (0.2, 40), (0.5, 40), (0.5, 100)])
def test_the_interval_covers_the_truth(shift, n):
    rng, truth, runs = np.random.default_rng(10), gaussian_mmd(8, shift), 300
    seen = [paired_kid(*planted_pairs(rng, n, 8, shift)) for _ in range(runs)]
    covered = np.mean([e.low <= truth <= e.high for e in seen])
    # 300 runs at 95 % spread by 1.3 points: 2 of those below. Without change the jackknife is conservative.
    assert covered > 0.925
    bias = np.mean([e.value for e in seen]) - truth
    assert abs(bias) < 4 * np.std([e.value for e in seen]) / np.sqrt(runs)


def test_the_permutation_test_keeps_its_level():
    rng = np.random.default_rng(11)
    values = [permutation_p(*planted_pairs(rng, 20, 6, 0.0), seed=i, permutations=99) for i in range(300)]
    # Exact level 5 %; 300 runs spread by 1.3 points.
    assert np.mean(np.array(values) <= 0.05) < 0.09
    assert np.mean(np.array(values) <= 0.5) == pytest.approx(0.5, abs=0.09)


def test_the_permutation_test_sees_a_shift_and_repeats():
    base, tuned = planted_pairs(np.random.default_rng(12), 40, 6, 0.4)
    p = permutation_p(base, tuned, seed=1, permutations=499)
    assert p == 1 / 500
    assert permutation_p(base, tuned, seed=1, permutations=499) == p


def test_swapped_statistics_equal_swapping_the_features():
    base, tuned = planted_pairs(np.random.default_rng(13), 6, 4, 0.3)
    products = kid._difference_products(base, tuned)
    signs = np.array([1, -1, -1, 1, -1, 1.0])
    swap = signs < 0
    left, right = np.where(swap[:, None], tuned, base), np.where(swap[:, None], base, tuned)
    expected = paired_kid(left, right).value
    assert (signs @ products @ signs - products.trace()) / 30 == pytest.approx(expected, rel=1e-10)


def test_kid_grows_with_the_shift():
    values = [paired_kid(*planted_pairs(np.random.default_rng(14), 60, 8, s)).value for s in (0.1, 0.3, 0.6, 1)]
    assert all(np.diff(values) > 0)


def test_a_summary_has_floor_facts_and_a_note():
    base, tuned = planted_pairs(np.random.default_rng(15), 40, 8, 0.6)
    other = features(40, 8, 16)
    seen = summarise_kid(KidRows(base, tuned, other, "inception", 3))
    estimate = seen.estimates["kid"]
    assert estimate.floor == paired_kid(base, other).high
    assert estimate.low > 0
    assert seen.facts["features"] == "inception"
    assert seen.facts["n"] == 40
    assert seen.facts["subset_mean"] == subset_kid(base, tuned, 1, 40, 3)[0]
    assert "40 independent" in str(seen.facts["note"])
    assert summarise_kid(KidRows(base, tuned, None, "inception", 3)).estimates["kid"].floor is None


def test_few_images_have_an_unbounded_interval():
    seen = paired_kid(features(2, 4, 1), features(2, 4, 2))
    assert (seen.low, seen.high) == (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("base", "tuned", "match"),
    [
        (np.ones((5, 4)), np.ones((5, 4)), "same features"),
        (np.ones((5, 4)) + 1e-7 * np.eye(5)[:, :4], np.ones((5, 4)), "same features"),
        (np.full((5, 4), np.nan), np.ones((5, 4)), "NaN"),
        (np.eye(5), np.full((5, 5), np.inf), "NaN"),
        (np.eye(5), np.eye(5)[:4], "as many"),
        (np.eye(5)[:1], np.eye(5)[:1], "at least two prompts"),
        (np.ones(5), np.ones(5), "features"),
    ],
)
def test_meaningless_features_are_refused(base, tuned, match):
    with pytest.raises(InvalidError, match=match):
        summarise_kid(KidRows(base, tuned, None, "test", 0))


def test_a_tuned_model_that_collapsed_is_measured():
    base = features(20, 6, 1)
    seen = summarise_kid(KidRows(base, np.ones_like(base), None, "test", 0)).estimates["kid"]
    assert seen.low > 0


def test_relative_kid_does_not_depend_on_the_scale_of_the_kernel_for_small_features():
    # For small features the cubic kernel is affine in the inner product, so a scale cancels: (1 + u)^3 ~ 1 + 3u
    rng = np.random.default_rng(0)
    base = rng.normal(size=(80, 16))
    tuned = base + 0.5
    values = [
        summarise_kid(KidRows(base * s, tuned * s, None, "test", 0)).estimates["kid_relative"].value
        for s in (1e-3, 1e-2)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-2)
    # |shift|^2 / variance = 16 * 0.25 / 16
    assert values[0] == pytest.approx(0.25, rel=0.1)
