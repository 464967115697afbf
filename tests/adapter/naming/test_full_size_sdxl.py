"""Claim: every layer of the true Stable Diffusion XL is found under its name in every dialect, with its true shape.

The models have shapes and no weights. That the names of the original code are its own is what diffusers' reader of
whole checkpoints says, which this project does not use.
"""

import json
import re
from pathlib import Path

import owf.core.families
import pytest
import torch
from owf.core.adapter import read_adapter
from owf.core.adapter.apply.match import match_modules
from owf.core.adapter.naming.names import flatten, place
from safetensors.torch import save_file

CONFIGS = Path(owf.core.families.__file__).parent / "configs" / "sdxl"
WITH_ATTENTION = (0, 1)
"""Levels on the way up that have attention, in front of the layer that enlarges."""


@pytest.fixture(scope="module")
def components():
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = lambda part: json.loads((CONFIGS / part / "config.json").read_text())  # noqa: E731
    with torch.device("meta"):
        return {
            "unet": UNet2DConditionModel.from_config(config("unet")),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**config("text_encoder"))),
            "text_encoder_2": CLIPTextModelWithProjection(CLIPTextConfig(**config("text_encoder_2"))),
        }


@pytest.fixture(scope="module")
def layers(components):
    """Component -> name of each of its layers, as transformers 4 has them -> the layer."""
    found = {}
    for component, root in components.items():
        with_weights = {n: part for n, part in root.named_modules() if getattr(part, "weight", None) is not None}
        found[component] = {_with_level(component, name): part for name, part in with_weights.items()}
    return found


def _with_level(component, name):
    if component == "unet" or name == "text_projection" or name.startswith("text_model."):
        return name
    return f"text_model.{name}"


@pytest.fixture(scope="module")
def original(layers, to_ldm):
    """Name of each layer of the U-Net -> that of the original code, with dots."""
    flat = {flatten("unet", name): name for name in layers["unet"]}
    return {flat[path]: _dotted(to_ldm(path, WITH_ATTENTION)) for path in flat}


WORDS = re.compile(
    "(input|output|transformer)_blocks|middle_block|time_embed|label_emb|(in|out|emb)_layers|to_[qkv]|to_out|"
    "skip_connection|proj_(in|out)|[a-z0-9]+"
)
"""Words of the original code's names, of which the first ones have underscores in them."""


def _dotted(path):
    return ".".join(found[0] for found in WORDS.finditer(path))


def test_all_layers_are_there(layers):
    """The U-Net has 1050 layers, 630 of them with a bias; the encoders 99 and 260, of which 2 and 3 have none."""
    tensors = {
        part: sum(len(dict(m.named_parameters(recurse=False))) for m in of.values()) for part, of in layers.items()
    }
    assert tensors == {"unet": 1680, "text_encoder": 196, "text_encoder_2": 517}


def test_the_names_of_the_original_code_are_its_own(original):
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    checkpoint = {
        f"model.diffusion_model.{theirs}.{kind}": name
        for name, theirs in original.items()
        for kind in ("weight", "bias")
    }
    config = {**json.loads((CONFIGS / "unet" / "config.json").read_text()), "num_class_embeds": None}
    found = convert_ldm_unet_checkpoint(checkpoint, config)
    assert {name.removesuffix(".weight"): source for name, source in found.items() if name.endswith(".weight")} == {
        name: name for name in original
    }
    assert len(set(original.values())) == len(original)


UNET = {
    "kohya": lambda name, theirs: f"lora_unet_{name.replace('.', '_')}.lora_down.weight",
    "kohya, sgm": lambda name, theirs: f"lora_unet_{theirs.replace('.', '_')}.lora_down.weight",
    "kohya OFT": lambda name, theirs: f"oft_unet_{theirs.replace('.', '_')}.oft_blocks",
    "LyCORIS wrapper": lambda name, theirs: f"lycoris_{name.replace('.', '_')}.lokr_w1",
    "diffusers, PEFT": lambda name, theirs: f"unet.{name}.lora_A.weight",
    "diffusers 0.18": lambda name, theirs: f"unet.{name}.lora.down.weight",
    "PEFT folder": lambda name, theirs: f"base_model.model.{name}.lora_A.weight",
    "ComfyUI": lambda name, theirs: f"diffusion_model.{theirs}.lora_down.weight",
    "ComfyUI, whole": lambda name, theirs: f"model.diffusion_model.{theirs}.lora_A.weight",
    "OneTrainer, original": lambda name, theirs: f"{theirs}.lora_A.weight",
    "OMI": lambda name, theirs: f"unet.{theirs}.lora_down.weight",
    "OneTrainer, OFT": lambda name, theirs: f"lora_unet_{theirs.replace('.', '_')}.oft_R.weight",
}


@pytest.mark.parametrize("dialect", UNET)
def test_every_name_of_the_unet_means_its_layer(dialect, layers, original):
    wrong = {}
    for name in layers["unet"]:
        found = place(UNET[dialect](name, original[name]))
        if found is None or (found.component, found.path) != ("unet", flatten("unet", name)):
            wrong[name] = found
    assert wrong == {}


ENCODERS = {
    "kohya": ("lora_te1_", "lora_te2_", "_"),
    "diffusers": ("text_encoder.", "text_encoder_2.", "."),
    "LyCORIS wrapper": ("lycoris_te1_", "lycoris_te2_", "_"),
    "ComfyUI": ("text_encoders.clip_l.transformer.", "text_encoders.clip_g.transformer.", "."),
    "ComfyUI's model": ("clip_l.transformer.", "clip_g.transformer.", "."),
    "OMI": ("clip_l.", "clip_g.", "."),
}


@pytest.mark.parametrize("dialect", ENCODERS)
def test_every_name_of_the_encoders_means_its_layer(dialect, layers):
    *beginnings, between = ENCODERS[dialect]
    for component, beginning in zip(("text_encoder", "text_encoder_2"), beginnings, strict=True):
        for name in layers[component]:
            found = place(f"{beginning}{name.replace('.', between)}.alpha")
            assert found is not None, name
            assert (found.component, found.path) == (component, flatten(component, name))


def _stem(component, name, original):
    if component == "unet":
        return f"lora_unet_{original[name].replace('.', '_')}"
    return f"lora_te{1 if component == 'text_encoder' else 2}_{name.replace('.', '_')}"


def _factors(layer, of=1):
    """Return a change of rank 1 of a layer's shape as LyCORIS writes it; `of` is how often too wide it is."""
    shape = layer.weight.shape
    if len(shape) == 1:
        return {"w_norm": torch.ones(of * shape[0]), "b_norm": torch.ones(of * shape[0])}
    down = torch.ones(1, of * shape[1], *shape[2:])
    return {"lora_up.weight": torch.ones(shape[0], 1, *[1] * (len(shape) - 2)), "lora_down.weight": down}


@pytest.mark.parametrize("of", [1, 2])
def test_every_layer_takes_a_change_of_its_shape_and_no_other(of, layers, original, components, tmp_path):
    tensors = {
        f"{_stem(component, name, original)}.{ending}": factor.half()
        for component, parts in layers.items()
        for name, layer in parts.items()
        for ending, factor in _factors(layer, of).items()
    }
    save_file(tensors, tmp_path / "all.safetensors")
    matching = match_modules(read_adapter(tmp_path / "all.safetensors"), components)
    count = sum(map(len, layers.values()))
    assert (len(matching.matched), len(matching.unmatched)) == ((count, 0) if of == 1 else (0, count))
