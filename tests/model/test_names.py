"""Claim: a base is known by its place first, then by what its own metadata say."""

import json

import pytest
import torch
from owf.core import families
from owf.core.errors import UsageError
from owf.core.families.prompt_form import AUTO, TAGS
from owf.core.model.base import BaseChoice
from owf.core.model.names import base_names, contradiction
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


def _folder(path, family, index=None, shift=None, guidance=None):
    """Write the settings of a folder that tell bases of a family apart, and return what it is known by."""
    pipeline = families.get(family).pipeline
    path.mkdir()
    (path / "model_index.json").write_text(json.dumps({"_class_name": pipeline.name, **(index or {})}))
    for part, config in (("scheduler/scheduler_config.json", {"shift": shift}), ("transformer/config.json", guidance)):
        (path / part).parent.mkdir()
        (path / part).write_text(json.dumps(config or {}))
    return BaseChoice(str(path), "folder")


SAID = [
    ("krea2", "my model", {"index": {"is_distilled": True}}, "Krea 2 Turbo", ""),
    ("krea2", "my model", {"index": {"is_distilled": False}}, "Krea 2 Raw", ""),
    ("krea2", "krea2-raw-mix", {"index": {"is_distilled": True}}, "Krea 2 Turbo", "as the latter"),
    ("krea2", "krea2-turbo-mix", {"index": {"is_distilled": False}}, "Krea 2 Raw", "as the latter"),
    ("krea2", "krea2-turbo-mix", {}, "Krea 2 Turbo", ""),
    ("krea2", "krea2-de-distilled", {"index": {"is_distilled": False}}, "a de-distilled Krea 2", ""),
    ("flux2_klein", "my model", {"index": {"is_distilled": True}}, "FLUX.2 klein", ""),
    ("flux2_klein", "my klein", {"index": {"is_distilled": False}}, "the base of FLUX.2 klein", "as the latter"),
    ("z_image", "my model", {"shift": 6.0}, "Z-Image", ""),
    ("z_image", "my model", {"shift": 3.0}, "Z-Image-Turbo", ""),
    ("z_image", "Z-Image-Turbo-mix", {"shift": 6.0}, "Z-Image-Turbo", "at times of the latter"),
    ("z_image", "Z-Image-De-Turbo", {"shift": 3.0}, "Z-Image-De-Turbo", ""),
    ("z_image", "Z-Image-mix", {"shift": 4.5}, "Z-Image", ""),
    ("flux", "my model", {"guidance": {"guidance_embeds": False}}, "FLUX.1-schnell", ""),
    ("flux", "my model", {"guidance": {"guidance_embeds": True}}, "FLUX.1-dev", ""),
]


@pytest.mark.parametrize(("family", "name", "settings", "title", "doubt"), SAID)
def test_a_base_is_told_by_its_name_and_else_by_its_settings(family, name, settings, title, doubt, tmp_path):
    choice = _folder(tmp_path / name, family, **settings)
    names = base_names(choice)
    assert names[2:] == (f"{families.DRAWN_AS}{title}",)
    assert families.get(family).drawing((name, *names)).title == title
    said = contradiction(choice)
    assert doubt in said and bool(said) == bool(doubt)


def test_settings_that_say_nothing(tmp_path):
    choice = _folder(tmp_path / "my model", "krea2")
    for said in ({"is_distilled": "yes"}, [], {}, {"_class_name": ["x"]}):
        (tmp_path / "my model" / "model_index.json").write_text(json.dumps(said))
        assert base_names(choice)[2:] == ()
        assert contradiction(choice) == ""
