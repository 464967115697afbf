"""Odd values in configurations and metadata end in one sentence, or change nothing."""

import json
import math

import pytest
from owf.core.adapter.naming.stated.metadata import _folder_tags
from owf.core.adapter.naming.stated.peft_config import from_fields
from owf.core.errors import AdapterError


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"peft_type": ["LORA"]}, "not supported"),
        ({"peft_type": {}}, "not supported"),
        ({"r": 0.3}, "positive whole number"),
        ({"r": -3, "use_rslora": True}, "positive whole number"),
        ({"r": 0}, "positive whole number"),
        ({"r": "8"}, "positive whole number"),
        ({"r": True}, "positive whole number"),
        ({"r": 10**400}, "positive whole number"),
        ({"r": math.inf}, "positive whole number"),
        ({"alpha_pattern": {"(a+)+b": 2}}, "regular expression"),
        ({"alpha_pattern": {"to_q": "4"}}, "a number is needed"),
        ({"alpha_pattern": {"to_q": math.nan}}, "a number is needed"),
        ({"peft_type": "LOKR", "rank_dropout_scale": 0, "rank_pattern": {"to_.*": 2}}, "regular expression"),
        ({"peft_type": "LOKR", "rank_dropout_scale": 0, "rank_pattern": {"to_q": 0}}, "positive whole number"),
        *(({"init_lora_weights": s, "r": 4}, "changes the base") for s in ("pissa", "pissa_niter_4", "olora", "loftq")),
    ],
)
def test_a_configuration_that_cannot_be_followed_is_refused(fields, reason):
    with pytest.raises(AdapterError, match=reason):
        from_fields(fields)


@pytest.mark.parametrize("start", [True, False, None, "gaussian", "orthogonal"])
def test_a_start_that_leaves_the_base_alone_is_read(start):
    assert from_fields({"init_lora_weights": start, "r": 4}).rank == 4


@pytest.mark.parametrize(
    ("module", "alpha"),
    [
        ("mid.proj", 3),
        ("proj", 3),
        ("mid.time_emb_proj", 1),  # a pattern begins where a part of the name does
        ("conv_in", 5),
        ("blocks.conv_in", 1),  # ^ asks for the whole name
        ("encoder.layers.0.q_proj", 7),
        ("encoder.layers.10.q_proj", 1),
    ],
)
def test_patterns_mean_the_modules_that_peft_means(module, alpha):
    patterns = {"proj": 3, "^conv_in": 5, "text_model.encoder.layers.0.q_proj": 7, "q_proj$": 1}
    assert from_fields({"lora_alpha": 1, "alpha_pattern": patterns}).scaling(module).alpha == alpha


def test_a_count_beyond_all_floats_is_left_out():
    counts = json.loads('{"huge": 1' + "0" * 400 + ', "cat": 7}')
    assert _folder_tags(counts) == ["cat"]
