"""CLIP-I, DINO and variety: closed forms, with networks that turn a picture into an angle."""

import dataclasses

import numpy as np
import pytest
import torch
from owf.core.errors import InvalidError
from owf.core.metrics import clip_i, dino, diversity
from owf.core.metrics.clip_i import measure_clip_i
from owf.core.metrics.dino import measure_dino
from owf.core.metrics.diversity import measure_diversity, summarise_diversity
from owf.core.metrics.evidence import ColorDrawings, Drawings
from owf.core.metrics.images import features
from owf.core.metrics.images.features import Fetching
from owf.core.metrics.images.likeness import cosines, spread_within
from owf.core.metrics.metric import Tools
from owf.core.metrics.statistics import mean_estimate
from owf.core.plan.presets import preset_plan
from owf.core.render.words import clear_changes
from progress_log import Heard

CPU = torch.device("cpu")


class FirstPixel:
    """Embeds a picture as the direction that the red of its first pixel says, in degrees, at a length of 3."""

    name, digest = "first pixel", "d"

    def __call__(self, images):
        angle = np.radians(images[:, 0, 0, 0].numpy().astype(np.float64))
        return 3 * np.stack([np.cos(angle), np.sin(angle)], 1)


def red(values) -> np.ndarray:
    return np.asarray(values, np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 3, 2, 2), np.uint8)


@pytest.mark.parametrize(("name", "measure"), [("clip_i", measure_clip_i), ("dino", measure_dino)])
def test_likeness_is_the_mean_cosine_over_prompts_with_other_noise_as_its_floor(name, measure):
    plan = preset_plan("quick")
    plan = dataclasses.replace(plan, prompts=plan.prompts[-4:], images_per_prompt=2)
    looked = Heard()
    drawings = Drawings(red([0] * 8), red([60] * 4 + [0] * 4), red([90] * 8))
    seen = measure(plan, Tools(CPU, {name: FirstPixel()}, looked), drawings)
    found = seen.estimates[name]
    expected = mean_estimate(np.array([0.5, 0.5, 1, 1]))
    assert (found.value, found.low, found.n) == (pytest.approx(0.75), pytest.approx(expected.low), 4)
    assert found.high == 1 < expected.high
    assert found.floor == pytest.approx(0, abs=1e-12)
    assert sum(looked.rows) == 24


def test_features_without_a_direction_are_invalid():
    for bad in (np.zeros((1, 2)), np.array([[np.nan, 1.0]])):
        with pytest.raises(InvalidError, match="zero, NaN or infinite"):
            cosines(np.ones((1, 2)), bad)


def test_the_spread_within_is_the_mean_over_all_pairs():
    rng = np.random.default_rng(0)
    members = rng.normal(size=(5, 7))
    pairs = [1 - cosines(members[[i]], members[[j]])[0] for i in range(5) for j in range(i)]
    assert spread_within(members) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert spread_within(np.ones((3, 4))) == pytest.approx(0, abs=1e-12)


def test_variety_is_the_change_of_the_distance_within_prompts():
    base = np.array([0.4, 0.2, 0.3, 0.3])
    seen = summarise_diversity(base, base / 2, base * np.array([1.1, 0.9, 1.1, 0.9]))
    change = seen.estimates["diversity_change"]
    assert (change.value, change.low, change.high) == pytest.approx((-0.5, -0.5, -0.5))
    assert change.floor is not None and change.floor > 0
    assert clear_changes(seen) == ["50 % less varied (50 to 50)"]
    assert seen.estimates["diversity_tuned"].value == pytest.approx(0.15)
    with pytest.raises(InvalidError, match="same picture"):
        summarise_diversity(0 * base, base, base)


def test_no_distance_within_prompts_is_said_to_be_more_than_opposite():
    base = np.array([0.4, 1.6])
    seen = summarise_diversity(base, base[::-1], base)
    ends = {(seen.estimates[name].low, seen.estimates[name].high) for name in ("diversity_base", "diversity_tuned")}
    assert ends == {(0.0, 2.0)}


def test_pictures_of_a_prompt_are_compared_with_one_another_only():
    plan = preset_plan("quick")
    plan = dataclasses.replace(plan, prompts=plan.prompts[:3])
    prompts = [prompt.text for prompt, _ in plan.color_draws]
    trials = np.array([trial for _, trial in plan.color_draws])
    place = np.array([list(dict.fromkeys(prompts)).index(prompt) for prompt in prompts])
    far = place * 60 + 90 * (trials % 2)  # prompts lie far apart, and half of each at a right angle to the others
    looked = Heard()
    seen = measure_diversity(
        plan,
        Tools(CPU, {"diversity": FirstPixel()}, looked),
        ColorDrawings(red(far), red(place * 60), red(far), tuple(p.term for p, _ in plan.color_draws)),
    )
    assert sum(looked.rows) == 3 * len(prompts)
    count = len(prompts) // 3
    across = 2 * (count // 2) * (count - count // 2) / (count * (count - 1))
    assert seen.estimates["diversity_base"].value == pytest.approx(across)
    assert seen.estimates["diversity_tuned"].value == pytest.approx(0, abs=1e-12)
    assert seen.estimates["diversity_change"].value == pytest.approx(-1)
    assert seen.facts["features"] == "first pixel"


@pytest.mark.parametrize("metric", [clip_i, dino, diversity], ids=lambda module: module.METRIC.name)
def test_a_base_that_ships_is_seen_by_its_own_network(metric, monkeypatch):
    asked = []
    monkeypatch.setattr(features, "load_features", lambda name, fetching: asked.append(name))
    for family in ("", "demo"):
        metric.load_network(preset_plan("quick", family), Fetching())
    assert asked == ["dino" if metric is dino else "clip", "demo"]


def test_a_base_that_draws_one_picture_has_no_variety_though_rounding_shows_some():
    """Three times the same features, as float32 gives them at other places of a batch."""
    rng = np.random.default_rng(1)
    same = rng.normal(size=(20, 1, 64)) * (1 + 1e-7 * rng.normal(size=(20, 3, 64)))
    spreads = np.array([spread_within(members) for members in same])
    assert spreads.min() >= 0
    assert 0 < spreads.max() < 1e-6
    with pytest.raises(InvalidError, match="same picture"):
        summarise_diversity(spreads, np.full(20, 0.3), spreads)
