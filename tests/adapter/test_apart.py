"""Parts of one LoRA that do not lie as one: whatever looks like an adapter is used or named."""

import json

import pytest
import torch
from owf.cli.audit import main
from owf.core.adapter import read_adapter
from owf.core.adapter.find import find_loras
from safetensors.torch import save_file

UNET, TEXT = "down_blocks.0.attentions.0.proj_in", "text_model.encoder.layers.0.self_attn.q_proj"


def weights(path, layer=UNET):
    path.parent.mkdir(parents=True, exist_ok=True)
    names = (f"base_model.model.{layer}.lora_B.weight", f"base_model.model.{layer}.lora_A.weight")
    save_file(dict(zip(names, (torch.ones(4, 2), torch.ones(2, 4)), strict=True)), path)
    return path


def peft(folder, layer=UNET):
    weights(folder / "adapter_model.safetensors", layer)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 4}))
    return folder


def names(paths, root):
    return {path.relative_to(root).as_posix() for path in paths}


@pytest.mark.parametrize("other", ["other_thing", "vae", "image_encoder", "unet.old", "text_encoder (copy)"])
def test_an_adapter_among_a_loras_parts_is_used_and_said(other, tmp_path, capsys):
    lora = tmp_path / "x"
    for name, layer in (("unet", UNET), ("text_encoder", TEXT), (other, UNET)):
        peft(lora / name, layer)
    for path in (lora, tmp_path):
        found = find_loras(path)
        assert names(found.paths, tmp_path) == {"x", f"x/{other}"}
        (doubt,) = found.doubts
        assert f"{lora / other} is a LoRA of its own here, but lies among the parts of {lora}." in doubt
    assert main(["inspect", "--json", str(lora)]) == 0
    assert "among the parts" in capsys.readouterr().err


@pytest.mark.parametrize("other", ["other_thing", "vae"])
def test_beside_a_part_that_is_named_itself_every_adapter_is_named(other, tmp_path):
    for name, layer in (("unet", UNET), ("text_encoder", TEXT), (other, UNET)):
        peft(tmp_path / name, layer)
    (tmp_path / "notes").mkdir()
    parts = {"unet", "text_encoder", other}
    for named in parts:
        found = find_loras(tmp_path / named)
        assert found.paths == (tmp_path / named,)
        assert names((item.path for item in found.left_out), tmp_path) == parts - {named}
    file = find_loras(tmp_path / "unet" / "adapter_model.safetensors")
    assert names((item.path for item in file.left_out), tmp_path) == {"text_encoder", other}


def test_a_part_below_a_folder_that_has_weights_itself_names_that(tmp_path):
    peft(tmp_path / "x")
    peft(tmp_path / "x" / "text_encoder", TEXT)
    assert [item.path for item in find_loras(tmp_path / "x" / "text_encoder").left_out] == [tmp_path / "x"]


@pytest.mark.parametrize(
    "places",
    [
        ("x_unet", "x_text_encoder"),
        ("X-UNet-LoRA", "x-te2-lora"),
        ("unet/a/b", "text_encoder/a/b"),
        ("x_transformer", "x_t5xxl"),
    ],
)
def test_loras_that_are_named_like_parts_stay_their_own_and_it_is_said(places, tmp_path):
    for place, layer in zip(places, (UNET, TEXT), strict=True):
        peft(tmp_path / place, layer)
    found = find_loras(tmp_path)
    assert names(found.paths, tmp_path) == set(places)
    (doubt,) = found.doubts
    assert "named like parts of one" in doubt
    for named, other in (places, reversed(places)):
        alone = find_loras(tmp_path / named)
        assert [item.path for item in alone.left_out] == [tmp_path / other]
        assert alone.doubts == ()


@pytest.mark.parametrize(
    "places",
    [
        ("x.unet.safetensors", "x.text_encoder.safetensors"),
        ("unet/my.safetensors", "text_encoder/MY.SAFETENSORS"),
        ("unet/unet_lora.safetensors", "text_encoder/text_encoder_lora.safetensors"),
    ],
)
def test_files_that_are_named_like_parts_are_said(places, tmp_path):
    for place, layer in zip(places, (UNET, TEXT), strict=True):
        weights(tmp_path / place, layer)
    assert len(find_loras(tmp_path).doubts) == 1
    for named, other in (places, reversed(places)):
        assert [item.path for item in find_loras(tmp_path / named).left_out] == [tmp_path / other]


def test_weights_in_the_folder_of_a_component_that_was_not_read_are_said(tmp_path):
    peft(tmp_path / "x" / "unet")
    weights(tmp_path / "x" / "text_encoder" / "my.safetensors", TEXT)
    (doubt,) = find_loras(tmp_path).doubts
    assert "my.safetensors is a LoRA of its own here" in doubt


@pytest.mark.parametrize(
    "places",
    [
        ("a.safetensors", "b.safetensors", "unet_a.safetensors", "unet_b.safetensors"),
        ("unet/style.safetensors", "transformer/style.safetensors"),  # of two bases
        ("style.safetensors", "style_tender.safetensors", "mutex_1.safetensors", "mutex_2.safetensors"),
        ("te1/a.safetensors", "text_encoder/a.safetensors"),  # names of one component
    ],
)
def test_of_other_loras_nothing_is_said(places, tmp_path):
    for place in places:
        weights(tmp_path / place)
    assert find_loras(tmp_path).doubts == ()
    assert all(find_loras(tmp_path / place).left_out == () for place in places)


def test_checkpoints_beside_the_parts_are_whole_loras(tmp_path):
    for folder in (tmp_path, tmp_path / "checkpoint-5"):
        peft(folder / "unet")
        peft(folder / "text_encoder", TEXT)
    found = find_loras(tmp_path)
    assert names(found.paths, tmp_path) == {".", "checkpoint-5"}
    assert found.doubts == found.left_out == ()


@pytest.mark.parametrize("name", ["text_encoder_l", "clip_l", "text-encoder", "te_1", "textencoder1"])
def test_further_names_of_text_encoders_are_parts(name, tmp_path):
    peft(tmp_path / "unet")
    peft(tmp_path / name, TEXT)
    found = find_loras(tmp_path)
    assert names(found.paths, tmp_path) == {"."}
    assert read_adapter(tmp_path).components == ("text_encoder", "unet")
