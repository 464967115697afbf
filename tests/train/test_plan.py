"""The training plan: every bad value names its flag, and every field counts."""

import dataclasses
import math

import pytest
from owf.core.errors import Setting, UsageError
from owf.core.plan.option import key
from owf.core.train.plan import TERMS, TrainPlan, plan_data, plan_digest

DC = Setting("preserve", "dc")
BAD = [
    ("trigger", " "),
    ("caption", "a photo"),
    ("method", "textual_inversion"),
    ("algorithm", "oft"),
    ("targets", "none"),
    ("optimizer", "sgd"),
    ("rate_schedule", "step"),
    ("preserve", ("ewc",)),
    ("preserve", ("dc", "dc")),
    ("preserve", ("none",)),
    ("steps", 0),
    ("batch", 0),
    ("accumulate", 0),
    ("seed", -1),
    ("rank", 0),
    ("alpha", -1.0),
    ("resolution", 100),
    ("resolution", -8),
    ("bucket", 60),
    ("caption_dropout", 1.5),
    ("caption_dropout", -0.5),
    ("rate", -1e-4),
    ("rate", 0.0),
    ("rate", math.nan),
    ("rate", math.inf),
    ("warmup", 801),
    ("weight_decay", -1.0),
    ("clip", -1.0),
    ("min_snr", -1.0),
    ("noise_offset", -0.1),
    ("ema", 1.0),
    ("ema", -0.5),
    *((f"{term}_weight", value) for term in TERMS for value in (-1.0, math.nan, math.inf)),
    ("prior_images", 0),
    ("drift_budget", -0.1),
    ("drift_budget", 1.0),
    ("drift_budget", 5.0),
    ("bank_share", 1.1),
    ("mismatch", 1.1),
    ("bank_prompts", -1),
    ("preserve_rows", -1),
    ("preserve_every", 0),
    ("teacher_cache", -1),
    ("drift_every", -1),
    ("sample_every", -1),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_a_usage_error_that_names_its_field(name, value):
    with pytest.raises(UsageError) as caught:
        TrainPlan(**{name: value})
    assert Setting(name) in caught.value.settings


def test_seeds_of_other_programs_are_taken():
    assert TrainPlan(seed=2**32 - 1).seed == 2**32 - 1


def test_every_number_has_a_bad_value():
    numbers = {f.name for f in dataclasses.fields(TrainPlan) if type(f.default) in (int, float)} - {"version"}
    assert numbers <= {name for name, _ in BAD}


@pytest.mark.parametrize(
    ("changes", "words", "setting"),
    [
        ({"method": "custom_diffusion", "algorithm": "loha"}, "The algorithm loha", Setting("algorithm")),
        ({"drift_budget": 0.01, "preserve": ("class",)}, "A drift budget needs the term dc", DC),
        ({"drift_budget": 0.01, "drift_every": 0}, "needs drift to be measured", Setting("drift_every")),
        ({"teacher_cache": 64, "preserve": ()}, "A fixed set of predictions needs", DC),
        ({"drift_budget": 0.01, "steps": 20, "drift_every": 11}, "every half of all steps", Setting("drift_every")),
        ({"trigger": "Bag", "class_word": "bag"}, "Trigger and class are the same", Setting("trigger")),
        ({"method": "custom_diffusion", "train_text_encoder": True}, "text encoder", Setting("train_text_encoder")),
        ({"rank": 999_999_999}, "Rank must be between 1 and 4,096", Setting("rank")),
        ({"resolution": 999_999_992}, "Resolution", Setting("resolution")),
        ({"steps": 10**8}, "Steps", Setting("steps")),
        ({"preserve": ("dcc",)}, "Preserve dcc: choose from prior.*, or none", Setting("preserve")),
        ({"rate_schedule": "zz"}, "Rate schedule zz: choose from constant", Setting("rate_schedule")),
    ],
)
def test_options_that_contradict_each_other_are_refused(changes, words, setting):
    with pytest.raises(UsageError, match=words) as caught:
        TrainPlan(**changes)
    assert setting in caught.value.settings


OTHER = {
    str: "other {}",
    bool: True,
    int: 8,
    float: 0.25,
    tuple: ("dc", "l2"),
}


@pytest.mark.parametrize(
    ("plan", "digest"),
    [
        (TrainPlan(), "6d48dd5f24e44f8b98b910b41cbd2c3d770c9aadf3355bc570c181feb29ad8ce"),
        (
            TrainPlan(**{"preserve": ("l2",), "dc_weight": 3.0}),
            "e61449febf90caea532d76f47ee7c562971788e0c3a7992e99191dd75f12447c",
        ),
    ],
)
def test_digests_are_those_that_checkpoints_and_finished_loras_hold(plan, digest):
    assert plan_digest(plan) == digest


@pytest.mark.parametrize("field", dataclasses.fields(TrainPlan), ids=lambda f: f.name)
def test_every_field_changes_the_digest(field):
    choices = field.metadata.get("choices")
    value = OTHER[type(field.default)]
    if choices and not isinstance(field.default, tuple):
        value = next(c for c in choices if c != field.default)
    plan = TrainPlan(preserve=TERMS, class_word="bag")  # a weight counts where its term does
    assert plan_digest(dataclasses.replace(plan, **{field.name: value})) != plan_digest(plan)
    assert plan_digest(dataclasses.replace(plan)) == plan_digest(plan)


def test_plans_of_before_prompt_forms_keep_their_digest():
    """A checkpoint is continued where its plan's digest is the same."""
    assert plan_digest(TrainPlan()) == "6d48dd5f24e44f8b98b910b41cbd2c3d770c9aadf3355bc570c181feb29ad8ce"
    changed = plan_digest(dataclasses.replace(TrainPlan(), steps=5, preserve=()))
    assert changed == "39c9433c4079bd8fb6c86ca5f6c2889f2fdba8e5a32bde3d87a76738eeea5aa7"
    assert "prompt_form" not in plan_data(TrainPlan())


def test_every_field_is_described():
    for field in dataclasses.fields(TrainPlan):
        assert field.name == "version" or field.metadata["help"]


def test_keys_are_what_people_type():
    assert key("rate_schedule") == "rate-schedule"
    assert key("class_word") == "class"
    keys = [key(f.name) for f in dataclasses.fields(TrainPlan)]
    assert len(set(keys)) == len(keys)


def test_plans_are_plain_data():
    data = plan_data(TrainPlan())
    assert data["preserve"] == ["dc"]
    assert TrainPlan(**{**data, "preserve": tuple(data["preserve"])}) == TrainPlan()


def test_alpha_is_the_rank_unless_it_is_given():
    assert TrainPlan(rank=8).scale == 8
    assert TrainPlan(rank=8, alpha=4.0).scale == 4
    assert TrainPlan(**{"dc_weight": 3.0}).weight("dc") == 3
