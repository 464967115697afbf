"""Claim: a base is known by its place first, then by what its own metadata say."""

import pytest
import torch
from owf.core import families
from owf.core.errors import UsageError
from owf.core.families.prompt_form import AUTO, TAGS
from owf.core.model.base import BaseChoice
from owf.core.model.names import base_names
from safetensors.torch import save_file


def test_a_file_has_its_name_and_those_in_its_metadata(tmp_path):
    file = tmp_path / "mix_v3.safetensors"
    said = {"sd_merge_models": '{"a": {"name": "ponyDiffusionV6XL"}}', "modelspec.title": "A mix", "format": "pt"}
    save_file({"x": torch.ones(1)}, file, metadata=said)
    names = base_names(BaseChoice(str(file), "file"))
    assert names == ("mix_v3.safetensors", "A mix", said["sd_merge_models"])
    assert families.get("sdxl").prompt_form(AUTO, names).name == TAGS
    save_file({"x": torch.ones(1)}, file)
    assert base_names(BaseChoice(str(file), "file")) == ("mix_v3.safetensors",)


def test_a_repository_is_known_in_the_hub_s_cache_too(tmp_path):
    assert base_names(BaseChoice("Laxhar/noobai-XL-1.1", "hub")) == ("Laxhar/noobai-XL-1.1",)
    snapshot = tmp_path / "models--Laxhar--noobai-XL-1.1" / "snapshots" / "0a1b2c"
    snapshot.mkdir(parents=True)
    assert base_names(BaseChoice(str(snapshot), "folder")) == ("0a1b2c", "Laxhar--noobai-XL-1.1")
    assert base_names(BaseChoice(str(tmp_path), "folder")) == (tmp_path.name, "")


def test_what_is_no_checkpoint_is_said(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"junk")
    with pytest.raises(UsageError, match=r"x\.safetensors cannot be read"):
        base_names(BaseChoice(str(tmp_path / "x.safetensors"), "file"))
