"""The shipped demo LoRA: kohya's format, the base's modules, a change that can be seen."""

import json
from pathlib import Path

import owf
import pytest
import torch
from owf.demo.concept import CAPTION
from owf.demo.lora import attach, kohya_metadata, write_kohya
from owf.demo.pictures import generate, load_pipeline
from safetensors import safe_open
from safetensors.torch import load_file

DEMO = Path(owf.__file__).parent / "demo"
LORA = DEMO / "lora" / "owf_demo_plain.safetensors"


@pytest.fixture
def pipeline():
    return load_pipeline(DEMO / "base")


def test_keys_are_kohyas_and_every_module_is_complete():
    weights = load_file(LORA)
    modules = {name.split(".")[0] for name in weights}
    # 16 transformer blocks, two attentions in each, four projections in each of those.
    assert len(modules) == 16 * 2 * 4
    for module in modules:
        down, up = weights[f"{module}.lora_down.weight"], weights[f"{module}.lora_up.weight"]
        assert (len(down), up.shape[1], float(weights[f"{module}.alpha"])) == (8, 8, 8.0)
        assert up.abs().max() > 0
        assert down.isfinite().all()


def test_metadata_names_base_trigger_and_training():
    with safe_open(LORA, "pt") as file:
        metadata = file.metadata()
    assert metadata["ss_base_model_version"] == "owf_demo"
    assert metadata["ss_output_name"] == LORA.stem
    (tags,) = json.loads(metadata["ss_tag_frequency"]).values()
    assert tags == {CAPTION: 5}


def test_an_untrained_lora_changes_nothing(pipeline):
    before = generate(pipeline, [CAPTION], seed=0)
    updates = attach(pipeline.unet)
    assert len(updates) == 16 * 2 * 4
    assert torch.equal(generate(pipeline, [CAPTION], seed=0), before)


def test_a_written_file_holds_what_was_trained(pipeline, tmp_path):
    updates = attach(pipeline.unet)
    write_kohya(updates, kohya_metadata("x", CAPTION, 5, 1, 1e-3), tmp_path / "x.safetensors")
    weights = load_file(tmp_path / "x.safetensors")
    name, update = next(iter(updates.items()))
    assert torch.equal(weights[f"{name}.lora_down.weight"], update.down.weight.detach().half())
