"""Claim: the base that a configuration of PEFT names is said where the metadata name none."""

import json

import pytest
import torch
from owf.core.adapter import read_adapter
from safetensors.torch import save_file

LAYER = "base_model.model.mid_block.attentions.0.proj_in"


@pytest.mark.parametrize(
    ("named", "metadata", "expected"),
    [
        ("someone/some-base", {}, "someone/some-base"),
        ("someone/some-base", {"ss_sd_model_name": "another.safetensors"}, "another.safetensors"),
        ("a\x1b[31mb", {}, "a\ufffd[31mb"),
        (None, {}, ""),
        (["x"], {}, ""),
        (7, {}, ""),
    ],
)
def test_the_configuration_s_base_is_stated(named, metadata, expected, tmp_path):
    tensors = {f"{LAYER}.lora_A.weight": torch.ones(2, 8), f"{LAYER}.lora_B.weight": torch.ones(8, 2)}
    save_file(tensors, tmp_path / "adapter_model.safetensors", metadata=metadata)
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "base_model_name_or_path": named}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert read_adapter(tmp_path).training.base_model == expected
