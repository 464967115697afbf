"""Systematic colour shift: closed forms, planted shifts in synthetic pictures, compositions that are rolled anew."""

import dataclasses

import numpy as np
import pytest
import torch
from owf.core.errors import InvalidError
from owf.core.metrics.color_shift import ShiftRows, measure_color_shift, summarise_shift
from owf.core.metrics.evidence import Drawings
from owf.core.metrics.images.color.cielab import lab_pixels
from owf.core.metrics.images.color.color_hue import HUES, turn_without
from owf.core.metrics.images.color.color_look import color_look, directions, look_of
from owf.core.metrics.images.color.color_terms import TERMS
from owf.core.metrics.metric import Tools
from owf.core.plan.presets import preset_plan
from owf.core.render.words import clear_changes
from owf.core.verdict.judge import judge
from owf.core.verdict.verdict import DRIFT, PASS
from progress_log import Heard
from skimage.color import rgb2lab

SIGNED = ("lightness_shift", "saturation_change", "contrast_change", "tint_a", "tint_b")


def pixels(prompts: int, seed: int) -> np.ndarray:
    """Lab pixels (P, 1, 300, 3) of three colours a picture."""
    rng = np.random.default_rng(seed)
    colors = rng.normal((55, 4, 9), (12, 20, 20), (prompts, 1, 3, 3))
    return np.repeat(colors, 100, axis=2) + rng.normal(0, 3, (prompts, 1, 300, 3))


def shifted(base: np.ndarray, tuned: np.ndarray, other: np.ndarray | None = None, terms=None, groups=None):
    terms = terms or ("",) * len(base)
    looks = [[look_of(picture) for picture in side] for side in (base, tuned, base if other is None else other)]
    return summarise_shift(ShiftRows(groups or ("all",) * len(base), tuple(terms), *looks))


def told(seen) -> dict[str, float]:
    return {name: estimate.value for name, estimate in seen.estimates.items()}


def test_squared_cosines_are_alike_in_all_directions():
    np.testing.assert_allclose(directions().T @ directions(), np.eye(3) * 13 / 3, atol=1e-12)


@pytest.mark.parametrize("shift", [(7.0, 0.0, 0.0), (0.0, -4.0, 3.0), (2.0, -1.0, 2.0)])
def test_a_uniform_shift_reads_its_length_its_lightness_and_its_tint(shift):
    base = pixels(20, 0)
    seen = shifted(base, base + shift)
    length = np.linalg.norm(shift)
    assert told(seen) == pytest.approx(
        {"color_shift": length, "hue_turn": 0, **dict(zip(SIGNED, (shift[0], 0, 0, *shift[1:]), strict=True))}, abs=1e-9
    )
    found = seen.estimates["color_shift"]
    assert (found.low, found.high, found.unit) == (pytest.approx(length), pytest.approx(length), "delta_e")


def test_colours_that_fade_are_less_saturated_and_no_tint_and_a_tint_is_no_saturation():
    base = pixels(8, 1)
    faded = base * (1, 0.85, 0.85)
    assert told(shifted(base, faded))["saturation_change"] == pytest.approx(-0.15, abs=1e-12)
    assert told(shifted(base, faded))["tint_a"] == pytest.approx(0, abs=1e-9)
    both = told(shifted(base, faded + np.array([0, 4, -1])))
    assert [both[name] for name in SIGNED] == pytest.approx([0, -0.15, 0, 4, -1], abs=1e-9)


def rotated(lab: np.ndarray, degrees: float) -> np.ndarray:
    """CIELAB colours (..., 3) whose hues turned."""
    plane = (lab[..., 1] + 1j * lab[..., 2]) * np.exp(1j * np.radians(degrees))
    return np.stack([lab[..., 0], plane.real, plane.imag], -1)


@pytest.mark.parametrize("turn", [-40.0, 0.25, 15.0, 120.0])
def test_hues_that_turn_together_are_no_tint_though_the_mean_colour_turns_with_them(turn):
    base = pixels(8, 11)
    assert np.hypot(*base[..., 1:].reshape(-1, 2).mean(0)) > 5  # which would be a tint of 2 * 5 sin(turn / 2)
    seen = shifted(base, rotated(base, turn) * (1, 0.8, 0.8) + np.array([0, 3, -2]))
    assert [told(seen)[name] for name in SIGNED] == pytest.approx([0, -0.2, 0, 3, -2], abs=1e-9)
    found = seen.estimates["hue_turn"]
    assert [found.value, found.low, found.high] == pytest.approx([turn] * 3, abs=1e-6)
    assert (found.unit, found.n) == ("degrees", 8)


def test_no_turn_is_told_where_nothing_shows_it():
    gray, base = pixels(6, 12) * (1, 0.01, 0.01), pixels(6, 13)
    assert "hue_turn" not in shifted(gray, gray).estimates  # a circle too small to have a direction
    assert "hue_turn" not in shifted(base[:2], base[:2]).estimates
    # Colours of one prompt come out at any other.
    assert "hue_turn" not in shifted(base, base[[3, 5, 1, 0, 4, 2]]).estimates


def test_flatter_lightness_is_less_contrast():
    base = pixels(5, 2)
    flatter = base.copy()
    flatter[..., 0] = 60 + 0.8 * (base[..., 0] - 60)
    assert told(shifted(base, flatter))["contrast_change"] == pytest.approx(-0.2, abs=1e-12)


def test_changes_that_prompts_do_not_have_in_common_cancel():
    base = pixels(2, 3)
    base = np.concatenate([base, base])
    away = np.zeros((4, 1, 1, 3))
    away[:2, ..., 1], away[2:, ..., 1] = 12, -12
    seen = shifted(base, base + away, groups=("up", "up", "down", "down"))
    assert seen.estimates["color_shift"].value == 0
    assert {part.label: part.estimate.value for part in seen.breakdowns["shift_group"]} == pytest.approx(
        {"up": 12, "down": 12}
    )


def test_no_change_is_exactly_none_and_other_seeds_are_its_floor():
    base, other = pixels(5, 4), pixels(5, 5)
    seen = shifted(base, base, other)
    assert all(e.value == 0 for e in seen.estimates.values())
    assert all(e.low == e.high == 0 for e in seen.estimates.values())
    assert clear_changes(seen) == []
    other_way = shifted(base, other)
    assert seen.estimates["color_shift"].floor == other_way.estimates["color_shift"].value
    lightness = other_way.estimates["lightness_shift"]
    assert seen.estimates["lightness_shift"].floor == max(abs(lightness.low), abs(lightness.high))


def test_gray_pictures_have_no_saturation_that_could_change():
    gray = pixels(4, 6) * (1, 0, 0)
    assert {"saturation_change"} == set(SIGNED) - set(shifted(gray, gray + np.array([0, 2, 0])).estimates)
    flat = np.full((4, 1, 50, 3), 40.0)
    seen = shifted(flat, flat + np.array([5, 0, 1]))
    assert told(seen) == pytest.approx({"color_shift": 26**0.5, "lightness_shift": 5, "tint_a": 0, "tint_b": 1})


def test_no_interval_says_that_more_than_all_faded_or_that_lightness_leaves_its_scale():
    base, tuned = pixels(2, 14), pixels(2, 15)
    tuned[0] *= (1, 0.1, 0.1)
    tuned[0, ..., 0] = 55 + 0.1 * (tuned[0, ..., 0] - 55)
    tuned[1] += (40, 0, 0)
    seen = shifted(base, tuned)
    assert [seen.estimates[name].low for name in ("saturation_change", "contrast_change")] == [-1, -1]
    assert (seen.estimates["lightness_shift"].low, seen.estimates["lightness_shift"].high) == (-100, 100)
    assert (seen.estimates["lightness_shift"].unit, seen.estimates["lightness_shift"].n) == ("L*", 2)


def test_what_rounding_leaves_of_a_gray_is_no_tint():
    """Its a* and b* are of the order of 1e-14, often on one side of 0 in all pictures."""
    grays = np.random.default_rng(16).integers(0, 256, (6, 100, 1)) * np.ones((1, 1, 3))
    images = torch.from_numpy(grays.reshape(6, 1, 10, 10, 3).transpose(0, 1, 4, 2, 3).astype(np.uint8))
    gray = [color_look(prompt) for prompt in images]
    assert 0 < max(abs(look.moments[1]) for look in gray) < 1e-9
    vivid = [look_of(picture) for picture in pixels(6, 17)]
    seen = summary(vivid, gray, vivid)
    assert told(seen)["saturation_change"] == pytest.approx(-1, abs=1e-9)
    assert [(e.value, e.low, e.high) for e in (seen.estimates["tint_a"], seen.estimates["tint_b"])] == [(0, 0, 0)] * 2


def test_one_prompt_has_nothing_in_common():
    base = pixels(1, 7)
    with pytest.raises(InvalidError, match="two"):
        shifted(base, base)


def hued(turn: float, seed: int = 0) -> list[np.ndarray]:
    """Palettes of five prompts: a thing around 35 degrees before backgrounds of any hue, all turned."""
    rng = np.random.default_rng(seed)
    angles = np.radians(np.stack([rng.normal(35, 6, 5), rng.uniform(0, 360, 5)], 1) + turn)
    found = []
    for pair in angles:
        plane = np.array([40, 15])[:, None] * np.stack([np.cos(pair), np.sin(pair)], 1)
        found.append(np.column_stack([plane, [0.6, 0.4]]))
    return found


@pytest.mark.parametrize("turn", [-20, 0, 0.5, 12])
def test_a_hue_that_turns_reads_its_angle_with_or_without_a_tint(turn):
    for tint in (0j, 4 - 3j):
        tuned = [palette + np.array([tint.real, tint.imag, 0]) for palette in hued(turn)]
        found, without = turn_without("red", hued(0), tuned, tint, [(None, tint), (2, tint)])
        # Rounds end at 1e-8 radians, of which a slow approach may be ten short of its end.
        assert [found, *without] == pytest.approx([turn] * 3, abs=1e-4)


def test_a_hue_that_is_gone_or_another_is_not_told():
    gray = [palette * (0.01, 0.01, 1) for palette in hued(0)]
    assert turn_without("red", hued(0), gray, 0j, [(None, 0j)])[0] is None
    assert turn_without("red", gray, hued(0), 0j, [(None, 0j)])[0] is None
    assert turn_without("red", hued(0), hued(120), 0j, [(None, 0j)])[0] is None


def test_hues_are_told_where_enough_prompts_ask_for_the_term():
    rng = np.random.default_rng(8)
    base = np.tile([50.0, 0, 0], (9, 1, 200, 1))
    angles = np.radians(np.array([35] * 4 + [275] * 4 + [140]))[:, None] + rng.normal(0, 0.1, (9, 100))
    base[:, 0, :100, 1], base[:, 0, :100, 2] = 40 * np.cos(angles), 40 * np.sin(angles)
    turned = base.copy()
    for place in range(4):
        turned[place, 0, :100, 1] = 40 * np.cos(angles[place] + np.radians(9))
        turned[place, 0, :100, 2] = 40 * np.sin(angles[place] + np.radians(9))
    seen = shifted(base, turned, terms=("red",) * 4 + ("blue",) * 4 + ("green",))
    hues = {part.label: part.estimate for part in seen.breakdowns["hue"]}
    assert set(hues) == {"red", "blue"}
    assert (hues["red"].unit, hues["red"].n) == ("degrees", 4)
    # The turn moves the mean colour too, by at most 40 sin(9) / 2 * 4 / 9 = 1.4 of 40: two degrees.
    assert hues["red"].value == pytest.approx(9, abs=2.5)
    assert abs(hues["blue"].value) < 2.5


def test_every_hue_has_two_neighbours_that_are_colour_terms():
    assert set(HUES) == set(TERMS) - {"black", "white", "gray"}
    assert all({hue.on, hue.back} <= set(HUES) for hue in HUES.values())


def srgb(lab: np.ndarray) -> np.ndarray:
    """Bytes (..., 3) of CIELAB colours (..., 3), with the rounded constants found in books."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2) * (0.95047, 1.0, 1.08883)
    matrix = [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
    linear = xyz @ np.array(matrix).T
    coded = np.where(linear > 0.0031308, 1.055 * linear.clip(1e-9) ** (1 / 2.4) - 0.055, 12.92 * linear)
    assert coded.min() > 0 and coded.max() < 1, "a colour that sRGB does not have"
    return np.rint(255 * coded).astype(np.uint8)


PROMPTS, SIDE, SEEDS, ENOUGH = 16, 10, 100, 93


def composition(seed: int, roll: int, prompts: int = PROMPTS) -> np.ndarray:
    """Lab pictures (P, 1, SIDE * SIDE, 3): a thing in a colour of its prompt, of any size, before any background."""
    rng = np.random.default_rng((seed, roll))
    hues = np.linspace(0, 2 * np.pi, prompts, endpoint=False)
    thing = np.stack([rng.uniform(56, 66, prompts), *(21 * np.stack([np.cos(hues), np.sin(hues)]))], -1)
    ground = np.column_stack([rng.uniform(50, 78, prompts), rng.uniform(-9, 9, (prompts, 2))])
    size = rng.uniform(0.3, 0.7, (prompts, 1, 1))
    inside = np.linspace(0, 1, SIDE * SIDE)[None, :, None] < size
    lab = np.where(inside, thing[:, None], ground[:, None]) + rng.normal(0, 1.2, (prompts, SIDE * SIDE, 3))
    return lab[:, None]


def drawn(lab: np.ndarray) -> list:
    """Looks of pictures as they come out of a model: bytes."""
    images = torch.from_numpy(srgb(lab).reshape(len(lab), 1, SIDE, SIDE, 3).transpose(0, 1, 4, 2, 3).copy())
    return [color_look(prompt) for prompt in images]


PLANTED = {
    "saturation_change": (-0.15, "less saturated", lambda lab: lab * (1, 0.85, 0.85)),
    "lightness_shift": (-5.0, "darker", lambda lab: lab - (5, 0, 0)),
    "tint_a": (4.0, "tinted red", lambda lab: lab + np.array([0, 4, 0])),
    "hue_turn": (15.0, "turned from red towards yellow", lambda lab: rotated(lab, 15)),
}


@pytest.fixture(scope="module")
def rolls() -> list[tuple]:
    return [tuple(composition(seed, roll) for roll in range(3)) for seed in range(SEEDS)]


def looks_of(rolls, which: int) -> list[list]:
    return [drawn(roll[which]) for roll in rolls]


@pytest.fixture(scope="module")
def bases(rolls) -> list[tuple[list, list]]:
    """Looks of the base, and of the base with other seeds."""
    return list(zip(looks_of(rolls, 0), looks_of(rolls, 1), strict=True))


def summary(base: list, tuned: list, other: list):
    names = ("",) * len(base)
    return summarise_shift(ShiftRows(names, names, base, tuned, other))


def verdict(seen) -> str:
    """What the default limits of colour say."""
    return judge({"color_shift": seen}).decision


@pytest.mark.parametrize("again", [0, 2], ids=["same compositions", "compositions rolled anew"])
@pytest.mark.parametrize("name", PLANTED)
def test_planted_shifts_are_found_named_covered_and_drift(name, again, rolls, bases):
    truth, word, plant = PLANTED[name]
    found = named = covered = strayed = drifted = 0
    for roll, (base, other) in zip(rolls, bases, strict=True):
        seen = summary(base, drawn(plant(roll[again])), other)
        estimate = seen.estimates[name]
        covered += estimate.low <= truth <= estimate.high
        named += any(word in change for change in clear_changes(seen))
        # A turn of all hues takes the prompts' colours different ways, so that hardly anything is common to them.
        common = seen.estimates[name if name == "hue_turn" else "color_shift"]
        found += common.low > 0
        drifted += verdict(seen) == DRIFT
        strayed += any(e.low > 0 or e.high < 0 for key, e in seen.estimates.items() if key not in ("color_shift", name))
    assert covered >= ENOUGH
    if again == 0:
        assert (found, named) == (SEEDS, SEEDS)
        assert drifted >= ENOUGH
        # One in a hundred of each of the other five, and what rounding to bytes does to them.
        assert strayed <= 15


def test_compositions_that_are_only_rolled_anew_are_no_shift(rolls, bases):
    told_none = near = 0
    values = []
    for roll, (base, other) in zip(rolls, bases, strict=True):
        seen = summary(base, drawn(roll[2]), other)
        told_none += clear_changes(seen) == []
        near += seen.estimates["color_shift"].low == 0
        values.append(seen.estimates["color_shift"].value)
    assert told_none >= ENOUGH
    assert near >= ENOUGH
    # Two such pictures of one prompt differ by 10 in lightness alone.
    assert np.median(values) < 1.5


def test_as_many_as_an_audit_draws_are_a_pass_where_they_are_only_rolled_anew():
    prompts = min(len(preset_plan("quick", family).prompts) for family in ("", "demo"))
    passed = 0
    for seed in range(SEEDS):
        base, other, tuned = (drawn(composition(seed, roll, prompts)) for roll in range(3))
        passed += verdict(summary(base, tuned, other)) == PASS
    assert passed >= ENOUGH


def test_what_was_rolled_anew_is_known_better_beside_both_drawings_of_the_base(rolls, bases):
    ends, lightness = [], []
    for roll, (base, other) in zip(rolls, bases, strict=True):
        tuned = drawn(roll[2])
        alone, both = (summary(base, tuned, beside) for beside in (base, other))  # one that is not another says nothing
        ends.append([seen.estimates["color_shift"].high for seen in (alone, both)])
        lightness.append([seen.estimates["lightness_shift"].value for seen in (alone, both)])
    assert np.divide(*np.median(ends, axis=0)[::-1]) < 0.9
    # The root of 3/4 is what two drawings instead of one leave of the spread; and it is about the same 0.
    spread = np.std(lightness, axis=0)
    assert spread[1] / spread[0] == pytest.approx(0.75**0.5, abs=0.08)
    assert abs(np.mean(lightness, axis=0)[1]) < 3 * spread[1] / SEEDS**0.5


def test_the_measurement_looks_at_all_pictures_of_the_plan():
    plan = preset_plan("quick")
    plan = dataclasses.replace(plan, prompts=(*plan.prompts[:4], *plan.prompts[-2:]), images_per_prompt=2)
    rng = np.random.default_rng(9)
    base = rng.integers(20, 200, (12, 3, 6, 6), np.uint8)
    looked = Heard()
    seen = measure_color_shift(plan, Tools(torch.device("cpu"), {}, looked), Drawings(base, base + 9, base))
    assert sum(looked.rows) == 36
    lab = [lab_pixels(torch.from_numpy(side))[:, 0].numpy() for side in (base, base + 9)]
    assert seen.estimates["lightness_shift"].value == pytest.approx((lab[1] - lab[0]).mean())
    assert (seen.estimates["lightness_shift"].n, seen.facts["prompts"]) == (6, 6)
    assert clear_changes(seen)[0].split(" (")[0].endswith("L* lighter")


@pytest.mark.parametrize("bad", [torch.zeros(1, 3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.uint8)])
def test_other_images_are_refused(bad):
    with pytest.raises(InvalidError, match="uint8"):
        color_look(bad)


def test_cielab_is_scikit_images():
    rgb = np.random.default_rng(10).integers(0, 256, (2, 500, 3), np.uint8)
    ours = [lab_pixels(torch.from_numpy(colors.T[:, :, None].copy())).numpy() for colors in rgb]
    theirs = [rgb2lab(colors) for colors in rgb]
    # Its matrix and white are rounded to six digits of 1: on b that is 200 / 3 of their relative error, 1e-4 at worst.
    np.testing.assert_allclose(ours, theirs, atol=0.02)
