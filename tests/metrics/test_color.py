"""Colour drift: CIELAB, the sliced distance, colour names, and what a report says of them."""

import math

import numpy as np
import pytest
import torch
from owf.core.errors import InvalidError
from owf.core.metrics.color import ColorRows, combine, summarise_color
from owf.core.metrics.images.color import color_distance as color
from owf.core.metrics.images.color.cielab import lab_pixels, name_shares
from owf.core.metrics.images.color.color_distance import color_distance, measure_prompt
from owf.core.metrics.images.color.color_terms import TERMS
from owf.core.metrics.statistics import mean_estimate, simultaneous_level
from scipy.stats import wasserstein_distance


def noise_images(count: int, size: int, seed: int, low: int = 0, high: int = 256) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, (count, 3, size, size), generator=generator, dtype=torch.uint8)


def gray_images(count: int, size: int, seed: int, low: int, high: int) -> torch.Tensor:
    return noise_images(count, size, seed, low, high)[:, :1].expand(-1, 3, -1, -1).contiguous()


def flat(*rgb: int) -> torch.Tensor:
    return torch.tensor(rgb, dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 8, 8).contiguous()


def slow_lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of bytes (N, 3), one pixel at a time, with the rounded constants found in books."""
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    white = np.array([0.95047, 1.0, 1.08883])
    result = []
    for pixel in rgb / 255:
        linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in pixel])
        f = [t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in matrix @ linear / white]
        result.append((116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])))
    return np.array(result)


def test_lab_equals_a_pixel_by_pixel_conversion():
    images = noise_images(2, 12, 0)
    expected = slow_lab(images.movedim(1, -1).reshape(-1, 3).numpy())
    # The textbook matrix and white are rounded to 5 digits: 200 * 1e-4 / 3 on b, the worst case.
    np.testing.assert_allclose(lab_pixels(images), expected, atol=0.03)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_of_known_colours(rgb, lab):
    np.testing.assert_allclose(lab_pixels(flat(*rgb))[0], lab, atol=0.02)


def test_grays_have_no_chroma():
    assert lab_pixels(gray_images(1, 16, 0, 0, 256))[:, 1:].abs().max() < 1e-12


def test_directions_read_every_shift_direction_within_half_a_percent():
    directions, weights = color._directions()
    shifts = np.random.default_rng(0).normal(size=(30_000, 3))
    shifts /= np.linalg.norm(shifts, axis=1, keepdims=True)
    readings = np.abs(shifts @ directions.T) @ weights
    assert np.abs(readings - 1).max() < 0.005
    np.testing.assert_allclose(np.abs(directions).T @ weights, 1, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("shift", [(7.0, 0, 0), (0, -7.0, 0), (0, 0, 7.0), (4.0, -4.0, 2.0), (0.01, 0.03, 0.02)])
def test_a_uniform_shift_reads_its_length(shift):
    pixels = lab_pixels(noise_images(2, 16, 1))
    shifted = pixels + torch.tensor(shift, dtype=pixels.dtype)
    axis = sum(s != 0 for s in shift) == 1
    length = float(np.linalg.norm(shift))
    assert color._distances([pixels, shifted])[0, 1] == pytest.approx(length, rel=1e-9 if axis else 5e-3)


def test_a_shift_along_lightness_equals_scipys_one_dimensional_distance():
    a, b = gray_images(3, 16, 2, 30, 150), gray_images(3, 16, 3, 90, 230)
    lightness = [lab_pixels(x)[:, 0].numpy() for x in (a, b)]
    assert color_distance(a, b) == pytest.approx(wasserstein_distance(*lightness), rel=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_change_along_one_axis_equals_scipys_one_dimensional_distance(axis):
    rng = np.random.default_rng(axis)
    a, b = np.zeros((400, 3)), np.zeros((400, 3))
    a[:, axis], b[:, axis] = rng.normal(0, 20, 400), rng.gamma(2, 9, 400)
    expected = wasserstein_distance(a[:, axis], b[:, axis])
    got = color._distances([torch.from_numpy(a), torch.from_numpy(b)])[0, 1]
    assert got == pytest.approx(expected, rel=1e-9)


def test_different_pixel_counts_equal_scipys_distance():
    a, b = gray_images(1, 15, 4, 30, 150), gray_images(2, 8, 5, 90, 230)
    lightness = [lab_pixels(x)[:, 0].numpy() for x in (a, b)]
    assert color_distance(a, b) == pytest.approx(wasserstein_distance(*lightness), rel=1e-9)


def test_the_distance_equals_a_plain_loop_over_directions():
    a, b = noise_images(2, 9, 6), noise_images(1, 13, 7, 60, 256)
    pixels = [slow_lab(x.movedim(1, -1).reshape(-1, 3).numpy()) for x in (a, b)]
    expected = sum(
        weight * wasserstein_distance(pixels[0] @ direction, pixels[1] @ direction)
        for direction, weight in zip(*color._directions(), strict=True)
    )
    assert color_distance(a, b) == pytest.approx(expected, abs=0.03)  # the rounded constants of slow_lab


def test_evenly_spread_random_directions_agree():
    a, b = noise_images(1, 12, 8), noise_images(1, 12, 9, 80, 200)
    pixels = [lab_pixels(x).numpy() for x in (a, b)]
    directions = np.random.default_rng(1).normal(size=(4000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    each = [np.abs(np.sort(pixels[0] @ d) - np.sort(pixels[1] @ d)).mean() for d in directions]
    # 2 undoes the mean |cosine| of 1/2, which 4000 draws know to 0.29 / sqrt(4000) / 0.5 = 0.9 %: 4 of those.
    assert color_distance(a, b) == pytest.approx(2 * np.mean(each), rel=0.04)


def test_equal_images_have_distance_zero():
    images = noise_images(4, 32, 10)
    assert color_distance(images, images.clone()) == 0.0


def test_position_does_not_matter():
    images = noise_images(1, 16, 11)
    assert color_distance(images, images.flip(-1).transpose(-1, -2)) == pytest.approx(0, abs=1e-12)


def test_the_distance_is_symmetric():
    a, b = noise_images(2, 16, 12), noise_images(1, 20, 13, 0, 200)
    assert color_distance(a, b) == pytest.approx(color_distance(b, a), rel=1e-12)


def test_the_distance_grows_with_brightness():
    base = noise_images(2, 24, 14, 0, 120)
    distances = [color_distance(base, base + shift) for shift in range(0, 120, 10)]
    assert distances[0] == 0
    assert all(np.diff(distances) > 0)


def test_the_distance_grows_with_hue():
    angles = np.linspace(0, np.pi, 9)
    pixels = torch.tensor([[60.0, 30.0, 10.0], [50.0, 25.0, -5.0]], dtype=torch.float64)
    turns = [[[1, 0, 0], [0, np.cos(t), np.sin(t)], [0, -np.sin(t), np.cos(t)]] for t in angles]
    turned = [pixels @ torch.tensor(turn, dtype=pixels.dtype) for turn in turns]
    distances = color._distances([pixels, *turned])[0, 1:]
    assert all(np.diff(distances) > 0)


def test_chunks_do_not_matter(monkeypatch):
    a, b = noise_images(1, 16, 15), noise_images(1, 16, 16)
    whole = color_distance(a, b)
    monkeypatch.setattr(color, "_CHUNK_VALUES", 1000)
    assert color_distance(a, b) == pytest.approx(whole, rel=1e-12)


def test_thinning_keeps_the_distance(monkeypatch):
    a, b = noise_images(1, 128, 17), noise_images(1, 128, 18, 40, 256)
    whole = color_distance(a, b)
    monkeypatch.setattr(color, "_MOST_PIXELS", 5000)
    # Every fourth pixel: a mean of 4096 values of spread 40 moves by 40 / 64 / sqrt(2); allow 3 of those.
    assert color_distance(a, b) == pytest.approx(whole, abs=1.4)


@pytest.mark.parametrize("bad", [torch.zeros(1, 3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.uint8)])
def test_other_images_are_refused(bad):
    with pytest.raises(InvalidError, match="uint8"):
        color_distance(bad, bad)


@pytest.mark.parametrize(
    ("rgb", "term"),
    [
        ((0, 0, 0), "black"), ((26, 26, 28), "black"),
        ((255, 255, 255), "white"), ((247, 247, 245), "white"),
        ((128, 128, 128), "gray"), ((90, 92, 95), "gray"), ((190, 190, 190), "gray"),
        ((255, 0, 0), "red"), ((219, 26, 31), "red"), ((110, 13, 15), "red"),
        ((0, 255, 0), "green"), ((33, 158, 56), "green"), ((10, 60, 20), "green"), ((150, 230, 150), "green"),
        ((255, 255, 0), "yellow"), ((250, 227, 36), "yellow"), ((255, 255, 170), "yellow"),
        ((0, 0, 255), "blue"), ((31, 77, 214), "blue"), ((10, 20, 80), "blue"), ((160, 205, 245), "blue"),
        ((117, 69, 31), "brown"), ((80, 45, 15), "brown"), ((150, 90, 45), "brown"),
        ((250, 138, 15), "orange"), ((255, 165, 0), "orange"), ((255, 110, 20), "orange"),
        ((252, 158, 194), "pink"), ((255, 192, 203), "pink"), ((255, 80, 160), "pink"),
        ((128, 43, 179), "purple"), ((75, 0, 130), "purple"),
        ((180, 140, 220), "purple"), ((200, 0, 200), "purple"),
    ],
)  # fmt: skip
def test_obvious_colours_have_their_names(rgb, term):
    assert TERMS[int(name_shares(lab_pixels(flat(*rgb))).argmax())] == term


def test_a_gray_ramp_goes_from_black_through_gray_to_white():
    shades = [TERMS[int(name_shares(lab_pixels(flat(v, v, v))).argmax())] for v in range(256)]
    assert list(dict.fromkeys(shades)) == ["black", "gray", "white"]
    assert shades.count("black") > 30
    assert shades.count("white") > 15


def test_the_saturated_hues_go_round_in_order():
    import colorsys

    wheel = [[round(255 * c) for c in colorsys.hsv_to_rgb(h / 180, 1, 1)] for h in range(180)]
    names = [TERMS[int(name_shares(lab_pixels(flat(*rgb))).argmax())] for rgb in wheel]
    order = list(dict.fromkeys(names))
    assert order == ["red", "orange", "yellow", "green", "blue", "purple", "pink"]


def test_shares_are_of_pixels():
    half = torch.cat([flat(255, 0, 0), flat(255, 0, 0), flat(255, 0, 0), flat(0, 0, 255)])
    shares = name_shares(lab_pixels(half))
    assert shares[TERMS.index("red")] == 0.75
    assert shares[TERMS.index("blue")] == 0.25
    assert shares.sum() == 1


def planted_images(prompts: int, seed: int) -> torch.Tensor:
    return torch.stack([noise_images(2, 12, seed * 1000 + i) for i in range(prompts)])


def measured(base, tuned, other, prompts, terms) -> ColorRows:
    others = [None] * len(base) if other is None else other
    return combine([measure_prompt(*stacks) for stacks in zip(base, tuned, others, strict=True)], prompts, terms)


def test_rows_match_single_prompts_and_summarise():
    base, other = planted_images(5, 1), planted_images(5, 2)
    tuned = (base.float() * 0.5).to(torch.uint8)
    terms = ("red", "", "green", "red", "")
    rows = measured(base, tuned, other, [f"prompt {i}" for i in range(5)], terms)
    assert rows.cdi[2] == color_distance(base[2], tuned[2])
    assert rows.floor is not None
    assert rows.floor[3] == color_distance(base[3], other[3])
    assert rows.base_shares.shape == rows.tuned_shares.shape == (5, 11)

    seen = summarise_color(rows)
    cdi = seen.estimates[seen.headline]
    assert (cdi.value, cdi.unit, cdi.n) == (pytest.approx(rows.cdi.mean()), "delta_e", 5)
    assert cdi.floor == pytest.approx(rows.floor.mean())
    assert cdi.floor is not None and cdi.low > cdi.floor
    assert [part.label for part in seen.breakdowns["color_term"]] == list(TERMS)
    assert [(part.label, part.estimate.n) for part in seen.breakdowns["color_prompt"]] == [
        ("red", 2),
        ("green", 1),
    ]


def test_term_changes_are_paired_simultaneous_and_carry_their_floor():
    rng = np.random.default_rng(3)
    shares, tuned, other = (rng.dirichlet(np.ones(11), 8) for _ in range(3))
    zeros = np.zeros(8)
    seen = summarise_color(ColorRows(("p",) * 8, ("",) * 8, zeros, zeros, zeros, shares, tuned, other))
    assert "color_prompt" not in seen.breakdowns
    part = seen.breakdowns["color_term"][0].estimate
    expected = mean_estimate(tuned[:, 0] - shares[:, 0], "share", simultaneous_level(11))
    floor = mean_estimate(other[:, 0] - shares[:, 0], "share", simultaneous_level(11))
    assert (part.value, part.low, part.high) == (expected.value, expected.low, expected.high)
    assert part.floor == max(abs(floor.low), abs(floor.high))


def test_few_prompts_give_no_interval_below_no_distance_or_beyond_the_whole_picture():
    black, white = (torch.full((2, 1, 3, 8, 8), value, dtype=torch.uint8) for value in (0, 255))
    base, tuned = black.clone(), torch.cat([white[:1], black[:1]])
    seen = summarise_color(measured(base, tuned, base.clone(), ["a", "b"], ["red", "red"]))
    assert (seen.estimates["cdi"].low, seen.breakdowns["color_prompt"][0].estimate.low) == (0, 0)
    assert all(-1 <= part.estimate.low <= part.estimate.high <= 1 for part in seen.breakdowns["color_term"])


def test_no_change_is_exactly_zero_and_no_other_seeds_means_no_floor():
    base = planted_images(3, 4)
    seen = summarise_color(measured(base, base.clone(), None, ["a", "b", "c"], ["", "", ""]))
    cdi = seen.estimates["cdi"]
    assert (cdi.value, cdi.low, cdi.high, cdi.floor) == (0, 0, 0, None)
    assert set(seen.estimates) == set(seen.prompts) == {"cdi"}
    assert all(part.estimate.value == 0 and part.estimate.floor is None for part in seen.breakdowns["color_term"])


def rolled(prompts: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    """Return one picture of 6 x 6 for every prompt: of a gray of its own that seeds move by 12 of 255, and `shift`."""
    rng = np.random.default_rng(seed)
    grays = 60 + 2 * np.arange(prompts) + rng.normal(0, 12, prompts) + shift
    pixels = np.clip(grays, 0, 255).astype(np.uint8)
    return torch.from_numpy(np.broadcast_to(pixels[:, None, None, None, None], (prompts, 1, 3, 6, 6)).copy())


def beyond(base, tuned, other):
    prompts = len(base)
    return summarise_color(measured(base, tuned, other, ["p"] * prompts, [""] * prompts)).estimates["cdi_beyond"]


def test_beyond_other_seeds_is_exactly_zero_without_change():
    base, other = rolled(9, 0), rolled(9, 1)
    found = beyond(base, base.clone(), other)
    assert (found.value, found.low, found.high, found.floor) == (0, 0, 0, None)


def test_pictures_that_are_rolled_anew_add_nothing_beyond_other_seeds():
    found = [beyond(rolled(40, 3 * i), rolled(40, 3 * i + 1), rolled(40, 3 * i + 2)) for i in range(200)]
    values = np.array([estimate.value for estimate in found])
    assert abs(values.mean()) < 3 * values.std(ddof=1) / math.sqrt(len(values))
    assert np.mean([estimate.low <= 0 <= estimate.high for estimate in found]) > 0.9


@pytest.mark.parametrize("seed", [0, 1])  # the base's compositions, and others
def test_what_lies_beyond_other_seeds_is_seen_and_grows(seed):
    base, other = rolled(40, 0), rolled(40, 2)
    found = [beyond(base, rolled(40, seed, shift), other) for shift in (0, 30, 60, 90)]
    assert all(np.diff([estimate.value for estimate in found]) > 0)
    assert all(estimate.low > 0 for estimate in found[1:])
    assert found[0].value == 0 if seed == 0 else found[0].low <= 0 <= found[0].high


def test_pictures_that_lose_their_variety_lie_nearer_than_other_seeds():
    base, other = rolled(40, 0), rolled(40, 2)
    middle = torch.from_numpy(np.broadcast_to((60 + 2 * np.arange(40))[:, None, None, None, None], base.shape).copy())
    assert beyond(base, middle.to(torch.uint8), other).high < 0


def test_unknown_terms_and_lost_prompts_are_refused():
    base = planted_images(1, 5)
    with pytest.raises(InvalidError, match="teal"):
        measured(base, base, None, ["a"], ["teal"])
    with pytest.raises(InvalidError, match="1 measured"):
        measured(base, base, None, ["a", "b"], ["", ""])
