"""The shipped demo LoRAs: kohya's format, the base's modules, one concept learnt in two ways."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import owf
import pytest
import torch
from demo_base.judging.pictures import draw, load_demo_base
from demo_base.world.concept import CAPTION
from owf.core import families
from owf.core.adapter import applied, read_adapter
from owf.core.train.plan import TrainPlan
from safetensors import safe_open
from safetensors.torch import load_file

DEMO = Path(owf.__file__).parent / "demo"
LORAS = [DEMO / "lora" / f"owf_demo_{name}.safetensors" for name in ("plain", "dc")]
MODULES = 16 * 2 * 4
"""16 transformer blocks, two attentions in each, four projections in each of those."""

every_lora = pytest.mark.parametrize("lora", LORAS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def denoiser():
    return load_demo_base(DEMO / "base")


def metadata(lora):
    with safe_open(lora, "pt") as file:
        return file.metadata()


@every_lora
def test_keys_are_kohyas_and_every_module_is_complete(lora):
    weights = load_file(lora)
    modules = {name.split(".")[0] for name in weights}
    assert len(modules) == MODULES
    for module in modules:
        down, up = weights[f"{module}.lora_down.weight"], weights[f"{module}.lora_up.weight"]
        assert (len(down), up.shape[1], float(weights[f"{module}.alpha"])) == (8, 8, 8.0)
        assert down.isfinite().all()
        assert up.abs().max() > 1e-5


@every_lora
def test_metadata_names_base_trigger_and_training(lora):
    facts = metadata(lora)
    assert facts["ss_base_model_version"] == "owf_demo"
    assert facts["ss_output_name"] == lora.stem
    (tags,) = json.loads(facts["ss_tag_frequency"]).values()
    assert tags == {CAPTION: 5}


def test_the_two_differ_in_preservation_and_in_how_long_they_took_to_learn():
    plain, dc = (json.loads(metadata(lora)["owf.plan"]) for lora in LORAS)
    assert {name for name in plain if plain[name] != dc[name]} == {"preserve", "steps"}
    assert (plain["preserve"], dc["preserve"]) == ([], ["dc"])


@every_lora
def test_the_readme_has_the_command_that_trained_it(lora):
    readme = Path(__file__).parents[2] / "demo" / "README.md"  # an installed package does not hold it
    text = readme.read_text().replace("\\\n", " ")
    (line,) = (line for line in text.splitlines() if line.startswith("owf-train") and lora.stem in line)
    given = dict(re.findall(r"--([\w-]+) (\S+)", line))
    plan, recipe = json.loads(metadata(lora)["owf.plan"]), dict(families.get("demo").recipes)[given["preset"]]
    told = {
        **asdict(TrainPlan()),
        **asdict(recipe),
        **{name: float(value) for name, value in given.items() if name in ("rank", "steps")},
    }
    assert {name: plan[name] for name in ("steps", "batch", "rank", "rate", "seed")} == {
        name: told[name] for name in ("steps", "batch", "rank", "rate", "seed")
    }


@every_lora
def test_the_files_metadata_say_what_its_audit_said(lora):
    verdict = {"owf_demo_plain": "DRIFT", "owf_demo_dc": "PASS"}[lora.stem]
    assert metadata(lora)["owf.verdict"] == verdict


@every_lora
def test_it_fits_the_demo_base_whole_and_changes_what_is_drawn(denoiser, lora):
    before = draw(denoiser, [CAPTION], seed=0)
    with applied(denoiser.components, read_adapter(lora)) as report:
        assert report.matched == MODULES
        assert not report.unmatched
        assert not torch.equal(draw(denoiser, [CAPTION], seed=0), before)
    assert torch.equal(draw(denoiser, [CAPTION], seed=0), before)


@every_lora
def test_diffusers_own_loader_takes_it(lora):
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(DEMO / "base", safety_checker=None, local_files_only=True)
    pipeline.load_lora_weights(str(lora.parent), weight_name=lora.name)
    assert pipeline.get_list_adapters() == {"unet": ["default_0"]}
