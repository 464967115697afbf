"""Single files of Stable Diffusion XL: the same model as its folder, read by what is in them, and others by name."""

import json
import shutil

import pytest
import torch
from ldm_checkpoint import xl_tensors
from owf.core.errors import UsageError
from owf.core.model import base
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.base import choose_base, load_base
from safetensors.torch import save_file
from tiny_sdxl import save_folder, tiny_xl_parts

CPU = torch.device("cpu")
MARK = torch.tensor([])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the tensors of a small checkpoint, its parts, and the folder of configurations it is read with."""
    parts, place = tiny_xl_parts(), tmp_path_factory.mktemp("checkpoint")
    config = place / "configs" / "sdxl"
    shutil.copytree(base.CONFIGS / "sdxl", config)
    for name in ("unet", "vae"):
        getattr(parts, name).save_config(config / name)
    for name in ("text_encoder", "text_encoder_2"):
        getattr(parts, name).config.save_pretrained(config / name)
    return xl_tensors(parts), parts, place / "configs"


@pytest.fixture
def load(made, tmp_path, monkeypatch):
    monkeypatch.setattr(base, "CONFIGS", made[2])

    def loaded(change=lambda tensors: tensors, metadata=None, dtype=torch.float32):
        save_file(change(dict(made[0])), tmp_path / "xl.safetensors", metadata=metadata)
        return load_base(choose_base(str(tmp_path / "xl.safetensors"), None), CPU, dtype, offline=True)

    return loaded


def marked(*names):
    return lambda tensors: {**tensors, **dict.fromkeys(names, MARK)}


def without(*prefixes):
    return lambda tensors: {k: v for k, v in tensors.items() if not k.startswith(prefixes)}


def cast(dtype):
    return lambda tensors: {k: v.to(dtype) for k, v in tensors.items()}


def test_a_single_file_is_the_model_of_its_folder(load, made, tmp_path):
    loaded = load()
    folder = load_base(
        choose_base(str(save_folder(made[1], tmp_path / "base")), None), CPU, torch.float32, offline=True
    )
    assert (loaded.family, folder.family) == ("sdxl", "sdxl")
    assert loaded.digest() == folder.digest() == DiffusersDenoiser(made[1], "tiny", "sdxl").digest()


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_weights_of_fewer_bits_are_read_as_their_values(load, stored):
    exact, found = load(), load(cast(stored))
    for name, component in exact.components.items():
        for key, value in component.named_parameters():
            assert torch.equal(found.components[name].get_parameter(key), value.to(stored).float()), (name, key)


@pytest.mark.parametrize(
    ("names", "metadata", "kind", "is_zero"),
    [
        ((), None, "epsilon", False),
        (("v_pred",), None, "v_prediction", False),
        (("v_pred", "ztsnr"), None, "v_prediction", True),
        ((), {"modelspec.prediction_type": "v"}, "v_prediction", False),
    ],
)
def test_markers_and_metadata_say_how_it_is_read(load, names, metadata, kind, is_zero):
    schedule = load(marked(*names), metadata).schedule
    assert schedule.prediction_type == kind
    assert (float(schedule.signal[-1]) == 0) is is_zero


SGM = """model:
  target: sgm.models.diffusion.DiffusionEngine
  params:
    denoiser_config:
      target: sgm.modules.diffusionmodules.denoiser.DiscreteDenoiser
      params:
        scaling_config:
          target: sgm.modules.diffusionmodules.denoiser_scaling.{}
"""


@pytest.mark.parametrize(("scaling", "kind"), [("VScaling", "v_prediction"), ("EpsScaling", "epsilon")])
def test_settings_of_stability_ai_beside_the_file_say_it_too(load, tmp_path, scaling, kind):
    (tmp_path / "xl.yaml").write_text(SGM.format(scaling))
    assert load().schedule.prediction_type == kind


def test_a_scaling_of_another_process_is_refused(load, tmp_path):
    (tmp_path / "xl.yaml").write_text(SGM.format("VScalingWithEDMcNoise"))
    with pytest.raises(UsageError, match="VScalingWithEDMcNoise"):
        load()


def _wide(channels):
    name = "model.diffusion_model.input_blocks.0.0.weight"
    return lambda t: {**t, name: torch.zeros(t[name].shape[0], channels, 3, 3)}


def _refiner(tensors):
    kept = without("conditioner.embedders.0.")(tensors)
    return {k.replace("conditioner.embedders.1.", "conditioner.embedders.0."): v for k, v in kept.items()}


REFUSED = {
    "EDM-v": (marked("edm_vpred.sigma_max", "v_pred"), {}, "EDM"),
    "EDM": (marked("edm_mean", "edm_std"), {}, "EDM"),
    "rectified flow": (marked(), {"modelspec.prediction_type": "rectified flow"}, "rectified flow"),
    "ztsnr without v": (marked("ztsnr"), {}, "zero terminal SNR"),
    "inpainting": (_wide(9), {}, "inpainting"),
    "edit": (_wide(8), {}, "instruct-pix2pix"),
    "refiner": (_refiner, {}, "refiner"),
    "no VAE": (without("first_stage_model."), {}, "Stable Diffusion XL checkpoint without VAE"),
    "no first encoder": (without("conditioner.embedders.0."), {}, "without text encoder"),
    "no second encoder": (without("conditioner.embedders.1."), {}, "without second text encoder"),
    "no projection": (without("conditioner.embedders.1.model.text_projection"), {}, "text_projection"),
    "a layer gone": (without("conditioner.embedders.1.model.transformer.resblocks.1.ln_1."), {}, "layer_norm1"),
    "a layer too many": (
        marked("conditioner.embedders.1.model.transformer.resblocks.3.ln_1.weight"),
        {},
        "no place",
    ),
    "a stranger": (marked("conditioner.embedders.0.transformer.text_model.extra.weight"), {}, "no place"),
    "a UNet weight gone": (without("model.diffusion_model.label_emb.0.0.weight"), {}, "xl.safetensors"),
    "a VAE weight too many": (marked("first_stage_model.extra.weight"), {}, "no place"),
    "a projection of no sides": (
        lambda t: {**t, "conditioner.embedders.1.model.text_projection": torch.tensor(1.0)},
        {},
        "text_projection",
    ),
    "queries of no sides": (
        lambda t: {**t, "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_bias": torch.tensor(1.0)},
        {},
        "second text encoder",
    ),
    "misshapen": (lambda t: {k: v[:1] if "ln_final" in k else v for k, v in t.items()}, {}, "second text encoder"),
    "NaN": (lambda t: {k: v * torch.nan if "resblocks.0.mlp" in k else v for k, v in t.items()}, {}, "NaN"),
    "int8": (cast(torch.int8), {}, "I8"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_other_files_are_named_by_what_is_in_them(load, case):
    change, metadata, word = REFUSED[case]
    with pytest.raises(UsageError) as caught:
        load(change, metadata)
    assert word in str(caught.value)
    assert "xl.safetensors" in str(caught.value)


def test_what_ships_is_the_configuration_of_the_true_model():
    # 2.567 billion is what the paper says of the UNet; the encoders are CLIP's 123 million and OpenCLIP's 695.
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = base.CONFIGS / "sdxl"
    with torch.device("meta"):
        models = [
            UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(config / "unet")),
            CLIPTextModel(CLIPTextConfig.from_pretrained(config / "text_encoder")),
            CLIPTextModelWithProjection(CLIPTextConfig.from_pretrained(config / "text_encoder_2")),
            AutoencoderKL.from_config(AutoencoderKL.load_config(config / "vae")),
        ]
    counts = [sum(p.numel() for p in model.parameters()) for model in models]
    assert counts == [2_567_463_684, 123_060_480, 694_659_840, 83_653_863]
    index = json.loads((config / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionXLPipeline"


def test_the_second_tokenizer_pads_with_the_first_token_of_the_one_vocabulary():
    from owf.core.model.backends.files.text_encoders import shipped_tokenizer

    first, second = (shipped_tokenizer(base.CONFIGS / "sdxl" / name) for name in ("tokenizer", "tokenizer_2"))
    assert first.get_vocab() == second.get_vocab()
    assert (first.pad_token_id, second.pad_token_id, first.model_max_length) == (49407, 0, 77)
    assert not (base.CONFIGS / "sdxl" / "tokenizer" / "vocab.json").exists()


def test_scaled_weights_of_8_bits_are_their_values_in_a_whole_file_too(load, made):
    """Those of the U-Net and of both text encoders, each part with ComfyUI's marker of its own."""
    stored, values = {}, {}
    for name, value in made[0].items():
        stored[name] = values[name] = value
        if name.startswith("first_stage_model.") or not name.endswith(".weight") or value.ndim != 2:
            continue
        scale = (value.abs().max() / 448).clamp(min=1e-6)  # float8_e4m3fn ends at 448
        stored[name] = (value / scale).to(torch.float8_e4m3fn)
        stored[name.removesuffix("weight") + "scale_weight"] = scale
        values[name] = stored[name].float() * scale
    assert sum(name.endswith("scale_weight") for name in stored) > 50
    stored["model.diffusion_model.scaled_fp8"] = torch.zeros(2).to(torch.float8_e4m3fn)
    found, expected = load(lambda _: stored).components, load(lambda _: values).components
    for part, module in expected.items():
        state = found[part].state_dict()
        assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())


def test_a_whole_file_with_a_format_that_is_not_read_is_refused_by_its_name(load):
    stem = "model.diffusion_model.time_embed.0"
    text = torch.tensor(list(json.dumps({"format": "nvfp4"}).encode()), dtype=torch.uint8)
    with pytest.raises(UsageError, match="nvfp4"):
        load(lambda tensors: {**tensors, f"{stem}.comfy_quant": text})
