"""Two sets of images without pairs: known shifts are read, equal sets stay within their floors, few images say so."""

import numpy as np
import pytest
import torch
from owf.core.errors import UsageError
from owf.core.metrics.images.unpaired import compare, kid_of_sets
from owf.core.metrics.kid import subset_kid
from progress_log import Heard


class Means:
    """A feature network that needs no weights: mean and spread of each channel."""

    name, digest = "means", "0"

    def __call__(self, images: torch.Tensor) -> np.ndarray:
        pixels = images.float().flatten(2) / 255
        return torch.cat([pixels.mean(2), pixels.std(2)], 1).numpy()


def noise(count: int, seed: int, low: int = 60, high: int = 180) -> torch.Tensor:
    """Return images of one random colour each with a little texture."""
    rng = np.random.default_rng(seed)
    colors = rng.integers(low, high, (count, 3, 1, 1))
    return torch.from_numpy((colors + rng.integers(-20, 20, (count, 3, 16, 16))).clip(0, 255).astype(np.uint8))


def estimate(comparison, name: str):
    return {key: e for m in comparison.measurements for key, e in m.estimates.items()}[name]


def test_two_draws_of_one_population_stay_near_their_floor():
    result = compare(noise(60, 1), noise(60, 2), Means())
    cdi, kid = estimate(result, "cdi"), estimate(result, "kid_relative")
    assert cdi.floor is not None and cdi.low <= cdi.floor
    assert kid.low <= 0 <= kid.high
    assert any("too few" in note for note in result.notes)


def test_another_population_is_told_apart():
    result = compare(noise(60, 1), noise(60, 2, 130, 250), Means())
    for name in ("cdi", "kid_relative"):
        seen = estimate(result, name)
        assert seen.floor is not None and seen.low > seen.floor
    assert result.notes == ()


def test_gray_against_lighter_gray_reads_the_shift_in_lightness():
    # Grays differ along L* alone, where CDI is exactly the mean shift: 50 and 60 of 100 within a byte's rounding.
    dark, light = (torch.full((8, 3, 8, 8), value, dtype=torch.uint8) for value in (119, 145))
    result = compare(dark, light, None)
    assert estimate(result, "cdi").value == pytest.approx(10, abs=0.3)
    assert estimate(result, "cdi").floor == 0


def test_kid_is_that_of_the_literature_for_sets_of_any_size():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 8)), rng.normal(0.3, 1, size=(30, 8))
    expected, _ = subset_kid(a, b, 1, 30, 0)
    assert kid_of_sets(a, b, "normal", 0).estimates["kid"].value == pytest.approx(expected, rel=1e-12)


def test_the_order_of_images_means_nothing():
    a, b = noise(20, 1), noise(24, 2, 130, 250)
    values = [estimate(compare(x, b, Means()), name).value for x in (a, a.flip(0)) for name in ("cdi", "kid")]
    assert values[:2] == pytest.approx(values[2:], rel=1e-9)


def test_the_interval_of_kid_covers_the_truth():
    # 40 draws of equal populations: 0 must lie inside about 95 % of the intervals; below 33 of 40 has p < 0.001.
    generator, inside = np.random.default_rng(0), 0
    for _ in range(40):
        a, b = generator.normal(size=(2, 16, 6))
        kid = kid_of_sets(a, b, "normal", 0).estimates["kid"]
        inside += kid.low <= 0 <= kid.high
    assert inside >= 33


def test_too_few_images_are_refused():
    with pytest.raises(UsageError, match="second set has 3 images"):
        compare(noise(8, 0), noise(3, 1), None)


def test_few_images_are_named():
    assert any("approximate below 50" in note for note in compare(noise(8, 0), noise(9, 1), None).notes)


@pytest.mark.parametrize("network", [None, Means()])
def test_a_comparison_advances_by_as_much_as_it_said(network):
    heard = Heard()
    compare(noise(8, 0), noise(9, 1), network, progress=heard)
    assert sum(heard.rows) == heard.length > 17
