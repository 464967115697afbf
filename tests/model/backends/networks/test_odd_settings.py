"""Claim: settings of transformers with which no prediction could be asked are refused, in a dry run as in an audit."""

import json

import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.base import choose_base, load_base
from owf.core.model.blueprint import blueprint
from tiny_flows import PARTS, save_folder

ODD = {
    "as many angles again": ("flux", "transformer", {"axes_dims_rope": [8, 8, 16]}, "axes_dims_rope are"),
    "an axis less": ("flux2_klein", "transformer", {"axes_dims_rope": [4, 4, 4]}, "axes_dims_rope are"),
    "no angles": ("qwen_image", "transformer", {"axes_dims_rope": [0, 0, 0]}, "axes_dims_rope are"),
    "a text for a number": ("z_image", "transformer", {"norm_eps": "x"}, "norm_eps is 'x'"),
    "a text for another": ("krea2", "transformer", {"rope_theta": "1000"}, "rope_theta is '1000'"),
    "a text in the VAE": ("flux2_klein", "vae", {"batch_norm_eps": "x"}, "batch_norm_eps is 'x'"),
    "no groups": ("z_image", "vae", {"norm_num_groups": -1}, "norm_num_groups is -1"),
    "places that are learned": ("anima", "transformer", {"extra_pos_embed_type": "x"}, "extra_pos_embed_type"),
    "no places": ("anima", "transformer", {"max_size": [0, 0, 0]}, "max_size is"),
    "too few places for a prompt": ("z_image", "transformer", {"axes_lens": [513, 64, 64]}, "axes_lens is"),
    "too few for a picture": ("z_image", "transformer", {"axes_lens": [1024, 64, 1]}, "axes_lens is"),
    "a text for tokens": ("anima", "text_conditioner", {"min_sequence_length": "x"}, "min_sequence_length is 'x'"),
}
SCHEDULERS = {
    "other times": ("z_image", "scheduler", {"use_karras_sigmas": True}, "use_karras_sigmas"),
    "another class": ("flux", "scheduler", {"_class_name": "EulerDiscreteScheduler"}, "EulerDiscreteScheduler"),
    "times by size": ("anima", "scheduler", {"use_dynamic_shifting": True}, "one shift for all sizes"),
    "other numbers": ("flux2_klein", "scheduler", {"num_train_timesteps": 2000}, "num_train_timesteps 2000"),
}


@pytest.mark.parametrize("case", ODD | SCHEDULERS)
def test_settings_that_cannot_be_asked_are_refused(case, tmp_path):
    family, part, change, words = (ODD | SCHEDULERS)[case]
    choice = choose_base(str(save_folder(family, PARTS[family](), tmp_path / "base")), None)
    config = tmp_path / "base" / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    with pytest.raises(UsageError, match=words):
        blueprint(choice)
    with pytest.raises(UsageError, match=words):
        load_base(choice, torch.device("cpu"), torch.float32, offline=True)
