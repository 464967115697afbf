"""Plans: budgets, validation, digests, and prompts that training must not see."""

import dataclasses
from pathlib import Path

import pytest
from owf.core import families
from owf.core.audit.evidence.cost import FLOOR_PROMPTS, answer_rows, audit_cost, image_rows
from owf.core.audit.evidence.recorder import draw_seed
from owf.core.audit.request import AuditRequest, plan_for
from owf.core.datasets.images.shipped import read_shipped
from owf.core.errors import Setting, UsageError
from owf.core.metrics.images.color.color_terms import TERMS
from owf.core.plan.audit_plan import Stage, plan_digest, stage_positions
from owf.core.plan.demo import BACKGROUNDS
from owf.core.plan.presets import GLANCE, METRICS, OF_FAMILIES, PRESETS, preset_metrics, preset_plan
from owf.core.plan.prompts import COLOR_TERMS, SUBJECTS
from owf.core.verdict.part import left_unjudged

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("preset", "budget"), [("quick", 6_000), ("standard", 40_000)])
def test_presets_keep_their_budget(preset, budget):
    plan = preset_plan(preset)
    cost = audit_cost(plan, len(plan.classes) * plan.per_class)
    assert 0.85 * budget < cost.tuned <= budget


def test_paper_preset_follows_the_diffusion_classifier():
    plan = preset_plan("paper")
    assert plan.stages == (Stage(50, 5), Stage(500, 1))
    assert plan.loss == "l1"
    assert answer_rows(plan) == 10 * 50 + 5 * 450
    assert plan.images == 1000


def test_stage_positions_are_those_of_the_published_code():
    # len 500, 20 samples: positions 12, 37, ...; then 50 samples: 5, 15, ... where not seen yet
    first, second = stage_positions((Stage(20, 5), Stage(50, 2), Stage(500, 1)))[:2]
    assert first[:3] == [12, 37, 62]
    assert second[:3] == [5, 15, 25]
    assert not set(first) & set(second)


def test_every_part_of_the_plan_changes_its_digest():
    plan = preset_plan("quick")
    changed = [
        dataclasses.replace(plan, seed=1),
        dataclasses.replace(plan, loss="l1"),
        dataclasses.replace(plan, per_class=7),
    ]
    assert len({plan_digest(p) for p in [plan, *changed]}) == 4
    assert plan_digest(plan) == plan_digest(preset_plan("quick"))


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"metrics": ()}, "metrics"),
        ({"metrics": ("kid", "kid")}, "metrics"),
        ({"classes": ("a",)}, "images"),
        ({"classes": ("a", "a")}, "images"),
        ({"loss": "huber"}, "loss"),
        ({"per_class": -1}, "per_class"),
        ({"per_class": 10**30}, "per_class"),
        ({"class_prompt": "a photo"}, "class_prompt"),
        ({"stages": ()}, "stages"),
        ({"stages": (Stage(4, 2),)}, "stages"),
        ({"stages": (Stage(8, 2), Stage(4, 1))}, "stages"),
        ({"stages": (Stage(3, 2), Stage(8, 1))}, "stages"),
        ({"stages": (Stage(1001, 1),)}, "stages"),
        ({"stages": (Stage(0, 2), Stage(8, 1))}, "stages"),
        ({"prompts": ()}, ""),
        ({"sampling_steps": 0}, ""),
    ],
)
def test_impossible_plans_are_usage_errors_that_name_what_to_change(change, setting):
    with pytest.raises(UsageError) as caught:
        dataclasses.replace(preset_plan("quick"), **change)
    assert caught.value.settings == ((Setting(setting),) if setting else ())


def test_unknown_preset_names_the_known_ones():
    with pytest.raises(UsageError, match="quick, standard, paper"):
        preset_plan("fast")


def test_the_colors_that_are_asked_for_are_those_that_are_named():
    # Two orders, on both of which numbers depend: which prompts a preset takes, and which sums are rounded first.
    assert sorted(COLOR_TERMS) == sorted(TERMS)


def test_prompts_differ_and_ask_for_every_color():
    texts = [p.text for p in preset_plan("paper").prompts]
    assert len(set(texts)) == len(texts)
    assert len({len(subjects) for subjects in SUBJECTS.values()}) == 1
    assert {p.term for p in preset_plan("quick").prompts} >= set(COLOR_TERMS)


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("family", OF_FAMILIES)
def test_plans_of_families_ask_for_what_ships_with_their_base(preset, family):
    plan = preset_plan(preset, family)
    assert family in families.shipped()
    assert (plan.preset, plan.dataset, plan.dataset_digest, plan.features) == (preset, family, "", family)
    assert plan.classes == read_shipped(plan.dataset, 8, 1).classes
    assert preset_plan(preset, "sd15") == preset_plan(preset)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_the_readme_states_the_cost_of_each_preset(preset):
    plan, _ = plan_for(AuditRequest(preset=preset), "sd15", 512)
    cost = audit_cost(plan, len(plan.classes) * plan.per_class)
    (line,) = [x for x in (ROOT / "README.md").read_text().splitlines() if x.startswith(f"| `{preset}`")]
    assert f"{cost.tuned:,}" in line
    assert f"{cost.base:,}" in line


def test_a_glance_asks_predictions_alone_of_what_quick_asks():
    glance, quick = (plan_for(AuditRequest(preset=preset), "sd15", 512)[0] for preset in (GLANCE, "quick"))
    named, _ = plan_for(AuditRequest(preset=GLANCE, metrics=METRICS), "sd15", 512)
    assert dataclasses.replace(named, preset="quick") == quick
    assert dataclasses.replace(glance, preset="quick", metrics=METRICS) == quick
    assert (glance.metrics, preset_metrics("standard")) == (("denoiser_drift", "map"), METRICS)
    cost = audit_cost(glance, 40)
    assert cost.images == cost.answers == cost.confirmed == 0 < cost.screened
    assert left_unjudged("PASS", glance.metrics)


def test_image_seeds_of_plans_and_of_the_noise_floor_never_meet():
    plan = dataclasses.replace(preset_plan("quick"), seed=3)
    assert [draw_seed(plan, 2), draw_seed(plan, 2, floor=True)] == [3_000_002, 3_500_002]


def test_a_plan_costs_what_its_metrics_ask_and_nothing_else():
    plan = dataclasses.replace(preset_plan("quick"), metrics=("denoiser_drift",))
    cost = audit_cost(plan, 40)
    assert cost.predictions == len(plan.prompts) * plan.drift_timesteps
    assert cost.repeats == min(FLOOR_PROMPTS, len(plan.prompts)) * plan.drift_timesteps
    assert (cost.answers, cost.images, cost.probes, cost.compared) == (0, 0, 0, 0)
    plan = dataclasses.replace(plan, metrics=("semantic",), dataset="generated")
    cost = audit_cost(plan, 40)
    assert (cost.answers, cost.probes) == (40 * answer_rows(plan), 40 * image_rows(plan))
    assert (cost.predictions, cost.repeats, cost.images, cost.compared) == (0, 0, 0, 0)


def test_a_class_prompt_may_name_a_class_without_an_article():
    plan = dataclasses.replace(preset_plan("quick"), classes=("apple pie", "dog"), class_prompt="a photo of {name}.")
    assert plan.class_prompts == ("a photo of apple pie.", "a photo of dog.")
    assert dataclasses.replace(plan, class_prompt="{}, {name}").class_prompts == (
        "an apple pie, apple pie",
        "a dog, dog",
    )
    with pytest.raises(UsageError, match="class prompt needs"):
        dataclasses.replace(plan, class_prompt="a photo")


def test_the_demos_prompts_leave_no_background_open_and_none_has_its_things_colour():
    for prompt in preset_plan("quick", "demo").prompts:
        thing, background = prompt.text.split(" on a ")
        assert background.removesuffix(" background") in BACKGROUNDS
        assert background.split()[0] not in thing.split()
