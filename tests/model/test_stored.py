"""The type in which weights lie on disk, by headers alone."""

import json

import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.base import BaseChoice
from owf.core.model.stored import dtype_of_base
from safetensors.torch import save_file

CPU = torch.device("cpu")


def checkpoint(path, dtype):
    few, many = torch.zeros(4, dtype=torch.float32), torch.zeros(8, 8).to(dtype)
    save_file({"first_stage_model.x": few, "model.diffusion_model.y": many}, path)
    return BaseChoice(str(path), "file")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_type_of_most_weights_of_a_file(dtype, tmp_path):
    assert dtype_of_base("disk", CPU, checkpoint(tmp_path / "x.safetensors", dtype)) == dtype
    assert dtype_of_base("auto", CPU, checkpoint(tmp_path / "x.safetensors", dtype)) == torch.float32


def test_eight_bits_are_refused_with_what_to_choose(tmp_path):
    choice = checkpoint(tmp_path / "x.safetensors", torch.float8_e4m3fn)
    with pytest.raises(UsageError, match="most of its weights are of type F8_E4M3") as caught:
        dtype_of_base("disk", CPU, choice)
    assert [setting.name for setting in caught.value.settings] == ["dtype"]


def test_a_folder_has_the_type_of_its_denoiser(tmp_path):
    for name, dtype in (("unet", torch.bfloat16), ("vae", torch.float32)):
        (tmp_path / name).mkdir()
        save_file({"x": torch.zeros(4).to(dtype)}, tmp_path / name / "diffusion_pytorch_model.safetensors")
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionXLPipeline"}))
    assert dtype_of_base("disk", CPU, BaseChoice(str(tmp_path), "folder")) == torch.bfloat16


def test_what_is_not_here_has_no_type():
    with pytest.raises(UsageError, match="is not in the local hub cache"):
        dtype_of_base("disk", CPU, BaseChoice("nobody/nothing-of-this-name", "hub"))


@pytest.mark.parametrize("hub_id", ["black-forest-labs/FLUX.1-dev", "black-forest-labs/FLUX.1-schnell"])
def test_bases_of_one_size_that_are_not_here_run_in_the_type_of_their_pipeline(hub_id):
    assert dtype_of_base("auto", torch.device("cuda"), BaseChoice(hub_id, "hub")) == torch.bfloat16
    assert dtype_of_base("auto", torch.device("cuda"), BaseChoice("nobody/nothing", "hub")) == torch.float16
