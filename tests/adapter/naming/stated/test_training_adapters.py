"""Claim: adapters that are to be subtracted are named as such, in inspect and reports, and no other file is."""

import pytest
import torch
from owf.core.adapter import read_adapter
from owf.core.adapter.naming.stated.training_adapters import is_training_adapter
from safetensors.torch import save_file

ADAPTERS = """
zimage_turbo_training_adapter_v1; zimage_turbo_training_adapter_v2; Z-Image-Turbo-Training-Adapter
FLUX.1-schnell-training-adapter; flux_schnell_assistant_lora; krea2_turbo_training_adapter
krea-2-turbo-training-adapter; z_image_de_turbo_adapter; z-image-dedistill-lora; ZImage De-Distill Adapter v2
"""
ORDINARY = """
training_adapter; my_training_adapter; z_image_training; zimage_turbo_lora; de_turbo; adapter_model; assistant_lora
z_image_de_turbo_my_cat; Z-Image-De-Turbo; office_assistant; training_day_sdxl; flux_adapter; distilled_flux_lora
"""


def _names(text):
    return [name.strip() for line in text.split("\n") for name in line.split(";") if name.strip()]


@pytest.mark.parametrize("name", _names(ADAPTERS))
def test_names_of_training_adapters(name):
    assert is_training_adapter(name)


@pytest.mark.parametrize("name", _names(ORDINARY))
def test_other_names_raise_no_alarm(name):
    assert not is_training_adapter(name)


def _file(path, metadata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    name = "diffusion_model.layers.0.attention.to_q"
    tensors = {f"{name}.lora_A.weight": torch.ones(2, 3840), f"{name}.lora_B.weight": torch.ones(3840, 2)}
    save_file(tensors, path, metadata=metadata)
    return [note for note in read_adapter(path).warnings if "training adapter" in note or "accelerator" in note]


def test_a_file_is_told_by_its_name_its_repository_or_its_title(tmp_path):
    (note,) = _file(tmp_path / "zimage_turbo_training_adapter_v2.safetensors")
    assert note.startswith("by its file name this is a training adapter") and "subtracted" in note
    cached = tmp_path / "models--ostris--FLUX.1-schnell-training-adapter" / "snapshots" / "0a1b2c"
    (note,) = _file(cached / "pytorch_lora_weights.safetensors")
    assert note.startswith("by its repository's name this is a training adapter")
    (note,) = _file(tmp_path / "a.safetensors", {"name": "krea2_turbo_training_adapter"})
    assert note.startswith("by its metadata this is a training adapter")
    assert _file(tmp_path / "b.safetensors", {"name": "my_cat"}) == []
