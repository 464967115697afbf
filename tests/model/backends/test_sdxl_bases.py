"""Folders of Stable Diffusion XL and its relatives: whole ones are read, others are named by what they are."""

import json
import shutil

import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.base import choose_base, load_base
from safetensors.torch import load_file, save_file
from tiny_sdxl import save_folder, tiny_xl_parts

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_folder(tiny_xl_parts(), tmp_path_factory.mktemp("base"))


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "base")


def load(folder, dtype=torch.float32):
    return load_base(choose_base(str(folder), None), CPU, dtype, offline=True)


def changed(name, **values):
    def change(folder):
        file = folder / name
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return change


def _inpainting(folder):
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    first = tensors["conv_in.weight"]
    tensors["conv_in.weight"] = torch.cat([first, torch.zeros(first.shape[0], 5, 3, 3)], 1)
    save_file(tensors, file, metadata={"format": "pt"})
    changed("unet/config.json", in_channels=9)(folder)


def _other_width(folder):
    """Put the first text encoder in the place of the second, whose output is narrower."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    small = {"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = CLIPTextConfig(hidden_size=32, projection_dim=40, **small)
    CLIPTextModelWithProjection(config).save_pretrained(folder / "text_encoder_2")


REFUSED = {
    "inpainting pipeline": (changed("model_index.json", _class_name="StableDiffusionXLInpaintPipeline"), "inpainting"),
    "refiner": (changed("model_index.json", _class_name="StableDiffusionXLImg2ImgPipeline"), "refiner"),
    "edit": (changed("model_index.json", _class_name="StableDiffusionXLInstructPix2PixPipeline"), "edits pictures"),
    "a list for a class": (changed("model_index.json", _class_name=["x"]), "['x']"),
    "no first encoder": (changed("model_index.json", text_encoder=[None, None]), "text_encoder"),
    "no projection": (changed("model_index.json", text_encoder_2=["transformers", "CLIPTextModel"]), "text_encoder_2"),
    "inpainting UNet": (_inpainting, "inpainting"),
    "narrow encoder": (_other_width, "cross-attention takes 80"),
    "LCM": (changed("unet/config.json", time_cond_proj_dim=256), "unet"),
    "no sizes": (changed("unet/config.json", addition_embed_type=None), "unet"),
    "huge depth": (changed("unet/config.json", transformer_layers_per_block=[1, 2, 10**9]), "layers"),
    "second tokenizer gone": (lambda folder: shutil.rmtree(folder / "tokenizer_2"), "tokenizer_2"),
    "second encoder gone": (lambda folder: shutil.rmtree(folder / "text_encoder_2"), "text_encoder_2"),
    "EDM": (changed("scheduler/scheduler_config.json", _class_name="EDMEulerScheduler"), "EDM"),
    "continuous times": (changed("scheduler/scheduler_config.json", timestep_type="continuous"), "EDM"),
    "rectified flow": (changed("scheduler/scheduler_config.json", prediction_type="flow_prediction"), "rectified flow"),
    "flow scheduler": (
        changed("scheduler/scheduler_config.json", _class_name="FlowMatchEulerDiscreteScheduler"),
        "Flow",
    ),
    "shifted latents": (changed("vae/config.json", latents_mean=[0.1] * 4), "shifts"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_audits_do_not_run_on_is_named(folder, case):
    change, word = REFUSED[case]
    change(folder)
    with pytest.raises(UsageError) as caught:
        load(folder)
    assert word in str(caught.value)
    assert "base" in str(caught.value)


def test_v_prediction_and_zero_terminal_snr_are_read_from_the_scheduler(folder):
    settings = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    changed("scheduler/scheduler_config.json", **settings)(folder)
    schedule = load(folder).schedule
    assert (schedule.prediction_type, float(schedule.signal[-1])) == ("v_prediction", 0)


@pytest.mark.parametrize("upcast", [True, False])
def test_in_half_precision_the_vae_stays_wide_unless_it_says_that_it_need_not(folder, saved, upcast):
    changed("vae/config.json", force_upcast=upcast)(folder)
    loaded = load(folder, torch.float16)
    types = {p.dtype for component in loaded.components.values() for p in component.parameters()}
    assert types == {torch.float16}
    assert {p.dtype for p in loaded._vae.parameters()} == {torch.float32 if upcast else torch.float16}
    if upcast:  # and was never rounded
        exact = load_file(saved / "vae" / "diffusion_pytorch_model.safetensors")
        assert all(torch.equal(value, exact[name]) for name, value in loaded._vae.state_dict().items())
