"""CLIP-T: closed forms, with a network that says of each picture how near it is to every prompt."""

import dataclasses

import numpy as np
import pytest
import torch
from owf.core.errors import InvalidError
from owf.core.metrics.clip_t import PromptRows, measure_clip_t, own_cosines, summarise_clip_t
from owf.core.metrics.evidence import Drawings
from owf.core.metrics.metric import Tools
from owf.core.metrics.statistics import mean_estimate, simultaneous_level
from owf.core.plan.presets import preset_plan
from progress_log import Heard


class Reds:
    """Says of a picture that it is as near to prompt k as the red of pixel k, in hundredths."""

    name, digest = "reds", "d"

    def __call__(self, images):
        return images[:, 0, 0].numpy() / np.float32(100)


def plan_of(prompts: int, images: int):
    plan = preset_plan("quick")
    return dataclasses.replace(plan, prompts=plan.prompts[-prompts:], images_per_prompt=images)


def test_only_a_pictures_own_prompt_counts():
    plan = plan_of(3, 2)
    cosines = np.arange(18.0).reshape(6, 3)
    assert own_cosines(cosines, plan).tolist() == [(0 + 3) / 2, (7 + 10) / 2, (14 + 17) / 2]


def test_the_drop_is_paired_and_other_seeds_are_its_floor():
    plan = plan_of(4, 1)
    base = np.full((4, 3, 1, 4), 9, np.uint8)
    base[range(4), 0, 0, range(4)] = [40, 30, 20, 50]
    tuned, other = base.copy(), base.copy()
    tuned[range(4), 0, 0, range(4)] = [30, 24, 12, 34]
    other[range(4), 0, 0, range(4)] = [42, 28, 22, 48]
    looked = Heard()
    tools = Tools(torch.device("cpu"), {"clip_t": Reds()}, looked)
    seen = measure_clip_t(plan, tools, Drawings(base, tuned, other))
    assert sum(looked.rows) == 12
    expected, rolled = mean_estimate(np.array([10, 6, 8, 16]) / 100), mean_estimate(np.array([-2, 2, -2, 2]) / 100)
    found = seen.estimates["clip_t_drop"]
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))
    assert found.floor == pytest.approx(max(-rolled.low, rolled.high))
    assert seen.estimates["clip_t_base"].value == pytest.approx(0.35)
    assert seen.estimates["clip_t_tuned"].value == pytest.approx(0.25)
    assert (seen.headline, seen.facts["features"]) == ("clip_t_drop", "reds")


def test_groups_hold_together_and_no_change_is_exactly_none():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.2, 0.4, 8)
    lost = np.array([0.1, 0.12, 0.08, 0.1, 0, 0, 0, 0])
    seen = summarise_clip_t(PromptRows(("people",) * 4 + ("animals",) * 4, base, base - lost, base), "x")
    parts = {part.label: part.estimate for part in seen.breakdowns["prompt_group"]}
    expected = mean_estimate(lost[:4], level=simultaneous_level(2))
    assert (parts["people"].value, parts["people"].low) == pytest.approx((expected.value, expected.low))
    assert (parts["animals"].value, parts["animals"].low, parts["animals"].high) == (0, 0, 0)
    assert seen.estimates["clip_t_drop"].floor == 0


def test_what_is_no_number_is_invalid():
    base = np.array([0.2, np.nan])
    with pytest.raises(InvalidError, match="NaN"):
        summarise_clip_t(PromptRows(("a", "b"), base, base, base), "x")
