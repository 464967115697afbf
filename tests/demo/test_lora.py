"""The shipped demo LoRA: kohya's format, the base's modules, a change that can be seen."""

import json
from pathlib import Path

import owf
import pytest
import torch
from owf.core.adapter import applied, read_adapter, write_kohya
from owf.demo.concept import CAPTION
from owf.demo.lora import attach, pairs
from owf.demo.pictures import draw, load_demo_base
from owf.demo.train_lora import card
from safetensors import safe_open
from safetensors.torch import load_file

DEMO = Path(owf.__file__).parent / "demo"
LORA = DEMO / "lora" / "owf_demo_plain.safetensors"
MODULES = 16 * 2 * 4
"""16 transformer blocks, two attentions in each, four projections in each of those."""


@pytest.fixture(scope="module")
def denoiser():
    return load_demo_base(DEMO / "base")


def test_keys_are_kohyas_and_every_module_is_complete():
    weights = load_file(LORA)
    modules = {name.split(".")[0] for name in weights}
    assert len(modules) == MODULES
    for module in modules:
        down, up = weights[f"{module}.lora_down.weight"], weights[f"{module}.lora_up.weight"]
        assert (len(down), up.shape[1], float(weights[f"{module}.alpha"])) == (8, 8, 8.0)
        assert down.isfinite().all()
        # Where the picture is one latent wide, attention to itself has no choice: queries and keys learn nothing.
        idle = module.startswith("lora_unet_mid_block") and module.endswith(("attn1_to_q", "attn1_to_k"))
        assert bool(up.any()) is not idle


def test_metadata_names_base_trigger_and_training():
    with safe_open(LORA, "pt") as file:
        metadata = file.metadata()
    assert metadata["ss_base_model_version"] == "owf_demo"
    assert metadata["ss_output_name"] == LORA.stem
    (tags,) = json.loads(metadata["ss_tag_frequency"]).values()
    assert tags == {CAPTION: 5}


def test_it_fits_the_demo_base_whole_and_changes_what_is_drawn(denoiser):
    before = draw(denoiser, [CAPTION], seed=0)
    with applied(denoiser.components, read_adapter(LORA)) as report:
        assert report.matched == MODULES
        assert not report.unmatched
        assert not torch.equal(draw(denoiser, [CAPTION], seed=0), before)
    assert torch.equal(draw(denoiser, [CAPTION], seed=0), before)


def test_diffusers_own_loader_takes_it(denoiser):
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(DEMO / "base", safety_checker=None, local_files_only=True)
    pipeline.load_lora_weights(str(LORA.parent), weight_name=LORA.name)
    assert pipeline.get_list_adapters() == {"unet": ["default_0"]}


def test_training_starts_from_no_change_and_writes_what_it_learnt(tmp_path):
    denoiser = load_demo_base(DEMO / "base")
    x, t, prompt = torch.ones(1, 4, 8, 8), torch.tensor([500]), denoiser.encode_text([CAPTION])
    before = denoiser.predict(x, t, prompt)
    updates = attach(denoiser.components["unet"])
    assert len(updates) == MODULES
    assert torch.equal(denoiser.predict(x, t, prompt), before)
    write_kohya(tmp_path / "x.safetensors", pairs(updates), card("x", 5, 1, 1e-3))
    name, update = next(iter(updates.items()))
    weights = load_file(tmp_path / "x.safetensors")
    written = weights[f"lora_unet_{name.replace('.', '_')}.lora_down.weight"]
    assert torch.equal(written, update.down.weight.detach().half())
