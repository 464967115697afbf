"""Claim: accelerators are named as what they are, and nothing else is: names that people give, of both kinds."""

import json

import pytest
import torch
from owf.cli.inspect import main
from owf.core.adapter import read_adapter
from owf.core.adapter.naming.stated.accelerators import accelerator_named
from safetensors.torch import save_file

UNET = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
TEXT = "lora_te1_text_model_encoder_layers_0_self_attn_q_proj"

ACCELERATORS = {
    "sdxl_lightning_4step_lora": ("Lightning", 4),
    "SDXL Lightning LoRA 8 steps": ("Lightning", 8),
    "sdxlLightning4Step": ("Lightning", 4),
    "sdxl-lightning": ("Lightning", 0),
    "Qwen-Image-Edit-2509-Lightning-4steps-V1.0-bf16": ("Lightning", 4),
    "Wan2.2-Lightning_T2V-A14B-4steps-lora": ("Lightning", 4),
    "Wan2.2-Lightning_I2V-A14B-4steps-lora_HIGH_fp16": ("Lightning", 4),
    "Wan22-Lightning-LOW": ("Lightning", 0),
    "Z-Image-Fun-Lora-Distill-8-Steps": ("step distillation", 8),
    "krea2_turbo_lora": ("Turbo", 0),
    "krea2_turbo_lora_rank_64_bf16": ("Turbo", 0),
    "Flux2-Klein-9B-Turbo-LoRA": ("Turbo", 0),
    "flux-2-klein-base-4b-turbo": ("Turbo", 0),
    "somebodys_mix_lightning_4step_lora": ("Lightning", 4),
    "Hyper-SDXL-8steps-lora": ("Hyper-SD", 8),
    "Hyper-SDXL-1step-lora": ("Hyper-SD", 1),
    "Hyper-SD15-12steps-CFG-lora": ("Hyper-SD", 12),
    "Hyper-FLUX.1-dev-8steps-lora": ("Hyper-SD", 8),
    "flash-sdxl-4steps": ("Flash Diffusion", 4),
    "sd_xl_turbo_lora_v1": ("Turbo", 0),
    "FLUX.1-Turbo-Alpha": ("Turbo", 0),
    "flux.2-turbo-lora": ("Turbo", 0),
    "lcm-lora-sdxl": ("LCM", 0),
    "lcm-lora-sdv1-5": ("LCM", 0),
    "LCM_LoRA_Weights_SD15": ("LCM", 0),
    "TCD-SDXL-LoRA": ("TCD", 0),
    "dmd2_sdxl_4step_lora_fp16": ("DMD2", 4),
    "pony_dmd2_4step": ("DMD2", 4),
    "tdm_sd3_lora": ("TDM", 0),
    "pcm_sdxl_smallcfg_2step_converted": ("PCM", 2),
    "Wan21_CausVid_14B_T2V_lora_rank32": ("CausVid", 0),
    "lightx2v_T2V_14B_cfg_step_distill_v2_lora_rank64_bf16": ("LightX2V", 0),
}
ORDINARY = """
lightning style; lightning_style_sdxl; lightning_sdxl; Lightning_XL; lightning mcqueen; lightning; blue_lightning_lora
turbo car; porsche_911_turbo; 911_turbo_sdxl; turbo_sdxl; Turbo; turbo_lora_v1; flux_dev_turbocharged; turbo-000008
turbo-step00002000; sdxl_lightning-step00002000; z_image_turbo_lora; my_char_z_image_turbo; krea2_turbo_portrait
hyper realistic; hyperrealistic_sdxl; hyper_detail_8k; hyper_sdxl; flash_sdxl; The_Flash_v2; wan_flash_animation
ballet_8_steps; 8step_dance; two_step; style_for_lcm_models; lcmaker; TDM_police_uniform; pcmr; my_lora; sdxl
krea2_turbo_lora_my_cat; krea2_turbo; distilled_water; distill_lora; high_fantasy; flux_klein_4b_car; fun_4steps
"""


@pytest.mark.parametrize(("name", "expected"), ACCELERATORS.items())
def test_names_of_accelerators(name, expected):
    found = accelerator_named(name)
    assert found is not None
    assert (found[0].title, found[1]) == expected


@pytest.mark.parametrize("name", [name.strip() for line in ORDINARY.split("\n") for name in line.split(";") if name])
def test_ordinary_names_raise_no_alarm(name):
    assert accelerator_named(name) is None


@pytest.mark.parametrize("name", ["lightning " * 10_000, "4step" * 10_000, "lcm" + "-" * 100_000, "\0", "", "ſ\u212a"])
def test_any_text_is_read_at_once(name):
    assert accelerator_named(name) is None or len(name) < 10**6


def _written(path, metadata=None, stem=UNET, width=2048):
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f"{stem}.lora_down.weight": torch.ones(2, width), f"{stem}.lora_up.weight": torch.ones(8, 2)}
    save_file(tensors, path, metadata=metadata)
    return path


def _notes(path):
    return [warning for warning in read_adapter(path).warnings if "accelerator" in warning]


@pytest.mark.parametrize(
    ("place", "metadata", "says"),
    [
        (
            "sdxl_lightning_4step_lora.safetensors",
            {},
            "by its file name this is an accelerator (Lightning for 4 s",
        ),
        ("lcm-lora-sdxl/pytorch_lora_weights.safetensors", {}, "by its folder's name this is an accelerator (LCM)"),
        (
            "models--somebody--TCD-SDXL-LoRA/snapshots/0a1b/pytorch_lora_weights.safetensors",
            {},
            "by its repository's name this is an accelerator (TCD)",
        ),
        ("x.safetensors", {"modelspec.title": "Hyper-SDXL-8steps"}, "by its metadata this is an accelerator (Hyper-SD"),
        ("x.safetensors", {"repo_id": "somebody/dmd2_sdxl_4step"}, "by its metadata this is an accelerator (DMD2"),
    ],
)
def test_where_the_name_stands_is_said(place, metadata, says, tmp_path):
    (note,) = _notes(_written(tmp_path / place, metadata))
    assert says in note
    assert "another sampler than the audit's" in note
    assert len(note) <= 200  # reports show no more of a warning


@pytest.mark.parametrize(
    ("metadata", "stem", "width"),
    [
        ({"ss_tag_frequency": json.dumps({"10_x": {"lightning": 10}})}, UNET, 2048),
        ({"ss_num_train_images": "120"}, UNET, 2048),
        ({"modelspec.trigger_phrase": "lightning"}, UNET, 2048),
        ({}, TEXT, 768),
    ],
)
def test_what_learned_from_pictures_or_changes_text_is_none_unless_it_counts_steps(metadata, stem, width, tmp_path):
    assert not _notes(_written(tmp_path / "sdxl_lightning.safetensors", metadata, stem, width))
    assert _notes(_written(tmp_path / "sdxl_lightning_4step.safetensors", metadata, stem, width))


def test_a_base_of_training_that_is_a_lightning_makes_no_accelerator(tmp_path):
    metadata = {"ss_sd_model_name": "sdxl_lightning_4step.safetensors", "ss_output_name": "my_dog"}
    assert not _notes(_written(tmp_path / "my_dog.safetensors", metadata))


def test_inspect_says_it_first(tmp_path, capsys):
    main(["--json", str(_written(tmp_path / "lcm-lora-sdxl.safetensors"))])
    (told,) = json.loads(capsys.readouterr().out)
    assert "accelerator (LCM)" in told["warnings"][0]
