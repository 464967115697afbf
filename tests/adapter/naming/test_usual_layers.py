"""Claim: inspect knows the layers of the usual bases, and says of files with others what an audit would say."""

import json

import pytest
import torch
from owf.core import families
from owf.core.adapter import read_adapter
from owf.core.adapter.change.weights import has_weight
from owf.core.adapter.naming.usual_layers import packed, unpacked, usual_layers
from owf.core.adapter.summary import summarise
from owf.core.model.base import CONFIGS, BaseChoice
from owf.core.model.blueprint import SHAPES, blueprint
from safetensors.torch import save_file
from tiny_flows import known_class

FAMILIES = [family.name for family in families.audited()]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_written_down_is_what_the_usual_base_has(family):
    known = families.get(family)
    for part in known.pipeline.weighted:
        if part.library == "diffusers":
            known_class(part.classes[0])
    components = blueprint(BaseChoice(known.hub_id, "hub")).components
    folder = next(folder / family for folder in (CONFIGS, SHAPES) if (folder / family).is_dir())
    written = json.loads((folder / "layers.json").read_text())
    assert written.keys() == components.keys()
    for component, root in components.items():
        names = [name for name, module in root.named_modules() if name and has_weight(module)]
        assert written[component] == packed(names)
        assert sorted(unpacked(written[component])) == sorted(names)


def test_rows_of_blocks_with_gaps_are_not_packed():
    names = ["blocks.0.x", "blocks.2.x", "a.blocks.1.y", "z", "layers.0.norm1", "layers.1.norm1"]
    assert packed(names) == sorted(["blocks.0.x", "blocks.2.x", "a.blocks.{1-1}.y", "z", "layers.{0-1}.norm1"])
    assert sorted(unpacked(packed(names))) == sorted(names)


def _problems(path, names, width=3840):
    tensors = {}
    for name in names:
        tensors |= {f"{name}.lora_A.weight": torch.ones(1, width), f"{name}.lora_B.weight": torch.ones(width, 1)}
    save_file(tensors, path)
    return summarise(read_adapter(path)).problems


Z_IMAGE = [f"diffusion_model.layers.{n}.attention.{part}" for n in range(4) for part in ("to_q", "to_k", "qkv", "out")]


def test_sound_files_have_no_problem(tmp_path):
    assert _problems(tmp_path / "x.safetensors", Z_IMAGE) == ()


def test_a_file_with_misspelled_layers_is_a_problem(tmp_path):
    wrong = [name.replace("attention", "attentoin") for name in Z_IMAGE]
    (problem,) = _problems(tmp_path / "x.safetensors", [*Z_IMAGE[:8], *wrong[8:]])
    assert "16 of 32 tensors" in problem and "transformer of Z-Image has no such module" in problem


def test_a_file_of_two_families_is_a_problem(tmp_path):
    flux = [f"diffusion_model.single_blocks.{n}.linear1" for n in range(4)]
    (problem,) = _problems(tmp_path / "x.safetensors", [*Z_IMAGE, *flux])
    assert "8 of 40 tensors" in problem and "has no such module" in problem
    unet = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    (problem,) = _problems(tmp_path / "x.safetensors", [*Z_IMAGE, unet])
    assert "Z-Image has no unet" in problem


def test_blocks_beyond_the_last_have_no_place(tmp_path):
    (problem,) = _problems(tmp_path / "x.safetensors", [*Z_IMAGE, "diffusion_model.layers.30.attention.to_q"])
    assert "2 of 34 tensors" in problem


def test_families_that_are_not_audited_are_not_known():
    assert usual_layers("wan") is None and usual_layers(None) is None and usual_layers("../flux") is None
