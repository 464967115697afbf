"""Claim: a message is about the cause that was found; where there is no fault, there is no accusation."""

import hashlib
import json
import os
import re
import struct
import sys

import pytest
import torch
from effort import calls
from owf.core.adapter import applied, match, read_adapter
from owf.core.errors import AdapterError
from safetensors.torch import save, save_file


def _warnings(tensors, tmp_path, **metadata):
    save_file(tensors, tmp_path / "x.safetensors", metadata=metadata)
    return read_adapter(tmp_path / "x.safetensors").warnings


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such file names")
def test_a_name_that_is_not_utf8_is_no_fault(base, kohya_tensors, tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.safetensors"
    with open(path, "wb") as file:  # noqa: PTH123 - a path of bytes
        file.write(save(kohya_tensors()))
    with applied(base.components, read_adapter(os.fsdecode(path))) as report:
        assert report.problems == ()
        assert report.delta_norm > 0


@pytest.mark.parametrize("claim", [hashlib.sha256().hexdigest(), "", "0x", "not a hash", "123456789abc"])
def test_what_is_no_hash_of_weights_accuses_nobody(claim, kohya_tensors, tmp_path):
    assert _warnings(kohya_tensors(), tmp_path, sshs_model_hash=claim) == ()


@pytest.mark.parametrize("form", ["{}", "0x{}", " {} "])
def test_a_right_hash_in_any_form_is_right(form, kohya_tensors, tmp_path):
    save_file(kohya_tensors(), tmp_path / "x.safetensors")
    weights = read_adapter(tmp_path / "x.safetensors").hashes.weights
    assert weights is not None
    assert _warnings(kohya_tensors(), tmp_path, sshs_model_hash=form.format(weights.upper())) == ()


def test_a_wrong_hash_is_said_to_be_wrong_and_no_more(kohya_tensors, tmp_path):
    (warning,) = _warnings(kohya_tensors(), tmp_path, sshs_model_hash="0" * 64)
    assert warning == "sshs_model_hash in the metadata is not the hash of these weights"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lora_unet_down_blocks_0_attentions_9_proj_in", "the base's unet has no such module"),
        ("lora_unet_something_else", "the base's unet has no such module"),
        ("lora_unet_double_blocks_0_img_attn_proj", "made for a transformer, the base has a U-Net"),
        ("lora_te2_text_model_encoder_layers_0_mlp_fc1", "the base has no text_encoder_2"),
    ],
)
def test_a_module_without_a_place_says_why(name, reason, base, kohya_tensors, tmp_path):
    extra = {f"{name}.lora_down.weight": torch.ones(2, 4), f"{name}.lora_up.weight": torch.ones(4, 2)}
    save_file({**kohya_tensors(), **extra}, tmp_path / "x.safetensors")
    (left_out,) = match(read_adapter(tmp_path / "x.safetensors"), base.components).unmatched
    assert left_out.reason == reason


@pytest.mark.parametrize(
    ("dtype", "size", "words"), [("F4", 1, "element type F4"), ("C64", 8, "C64"), ("I4", 1, "convert it to one of F16")]
)
def test_element_types_that_are_not_read_are_no_damage(dtype, size, words, tmp_path):
    header = json.dumps({"x": {"dtype": dtype, "shape": [1], "data_offsets": [0, size]}}).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    with pytest.raises(AdapterError, match=words) as refused:
        read_adapter(tmp_path / "x.safetensors")
    assert "again" not in str(refused.value)


def test_a_name_that_occurs_twice_is_no_bad_download(tmp_path):
    one = '"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    header = f"{{{one}, {one}}}".encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(AdapterError, match="twice") as refused:
        read_adapter(tmp_path / "x.safetensors")
    assert "download" not in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"layer_replication": [[0, 4], [2, 5]]}, "layers more than once"),
        ({"alora_invocation_tokens": [1, 2]}, "only after certain tokens"),
        ({"use_dora": True}, "the magnitudes are missing"),
    ],
)
def test_settings_that_no_tensor_shows_are_not_passed_over(setting, words, kohya_tensors, tmp_path):
    stem = "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k"
    tensors = {f"{stem}.lora_A.weight": torch.ones(2, 16), f"{stem}.lora_B.weight": torch.ones(16, 2)}
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, **setting}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(AdapterError, match=words):
        read_adapter(tmp_path)


def test_another_configuration_is_another_lora(tmp_path):
    stem = "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k"
    tensors = {f"{stem}.lora_A.weight": torch.ones(2, 16), f"{stem}.lora_B.weight": torch.ones(16, 2)}
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    digests = set()
    for alpha in (2, 4):
        config = {"peft_type": "LORA", "r": 2, "lora_alpha": alpha}
        (tmp_path / "adapter_config.json").write_text(json.dumps(config))
        digests.add(read_adapter(tmp_path).sha256)
    assert len(digests) == 2


@pytest.mark.parametrize("metadata", ["{", "[1]", '{"text_encoder.r": 4, "text_encoder.lora_alpha": 8}'])
def test_a_configuration_that_says_nothing_of_the_weights_is_refused(metadata, kohya_tensors, tmp_path):
    tensors = {"unet.mid_block.attentions.0.proj_in.lora_A.weight": torch.ones(2, 4)}
    tensors["unet.mid_block.attentions.0.proj_in.lora_B.weight"] = torch.ones(4, 2)
    save_file(tensors, tmp_path / "x.safetensors", metadata={"lora_adapter_metadata": metadata})
    with pytest.raises(AdapterError):
        read_adapter(tmp_path / "x.safetensors")


def test_a_configuration_without_components_is_that_of_the_file(tmp_path):
    """As diffusers' save_lora_adapter of a single model writes it."""
    tensors = {"mid_block.attentions.0.proj_in.lora_A.weight": torch.ones(2, 4)}
    tensors["mid_block.attentions.0.proj_in.lora_B.weight"] = torch.ones(4, 2)
    metadata = {"lora_adapter_metadata": json.dumps({"r": 2, "lora_alpha": 16, "use_rslora": False})}
    save_file(tensors, tmp_path / "x.safetensors", metadata=metadata)
    assert read_adapter(tmp_path / "x.safetensors").modules[0].scale == 8


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"lora_alpha": "16"}, "lora_alpha is '16'"),
        ({"lora_alpha": [16]}, "a number is needed"),
        ({"use_rslora": 1}, "use_rslora is '1'"),
        ({"use_dora": "True"}, "use_dora is 'True'"),
        ({"alpha_pattern": ["to_q"]}, "a table of modules is needed"),
        ({"r": 8}, "says rank 8, its factors have 2"),
    ],
)
def test_a_configuration_of_wrong_kind_or_rank_is_refused(fields, words, tmp_path):
    tensors = {"unet.mid_block.attentions.0.proj_in.lora_A.weight": torch.ones(2, 4)}
    tensors["unet.mid_block.attentions.0.proj_in.lora_B.weight"] = torch.ones(4, 2)
    config = {f"unet.{name}": value for name, value in {"r": 2, "lora_alpha": 2, **fields}.items()}
    save_file(tensors, tmp_path / "x.safetensors", metadata={"lora_adapter_metadata": json.dumps(config)})
    with pytest.raises(AdapterError, match=re.escape(words)):
        read_adapter(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"GGUF" + bytes(60), "GGUF"),
        (b"PK\3\4", "zip"),
    ],
)
def test_what_is_something_else_is_named(start, words, tmp_path):
    for name in ("x.safetensors", "x.pt"):
        (tmp_path / name).write_bytes(start + bytes(8))
        with pytest.raises(AdapterError, match=words):
            read_adapter(tmp_path / name, allow_pickle=True)


def test_no_pickle_ends_in_a_bug(kohya_tensors, tmp_path):
    for number, odd in enumerate((torch.tensor(5), 10**400, torch._neg_view(torch.ones(2)))):
        torch.save({"state_dict": kohya_tensors(), "global_step": odd}, tmp_path / f"{number}.pt")
        torch.save({**kohya_tensors(), "step": odd}, tmp_path / f"{number}.bin")
        for suffix in ("pt", "bin"):
            try:
                adapter = read_adapter(tmp_path / f"{number}.{suffix}", allow_pickle=True)
            except AdapterError:
                continue
            assert len(adapter.modules) > 100


def test_spellings_of_one_module_are_no_more_work_than_as_many_modules(tmp_path):
    path = tmp_path / "x.safetensors"

    def read(count):
        with pytest.raises(AdapterError):
            read_adapter(_spelled(path, count))

    few, many = (calls(lambda n=n: read(n)) for n in (256, 1024))
    assert many < 5 * few  # anything that grows with the square is 16 times as much


def _spelled(path, count):
    """Return the path of a file with half of a LoRA of one module, spelled in so many ways."""
    words = ["down", "blocks", "0", "attentions", "0", "transformer", "blocks", "0", "attn1", "to", "k"]
    names = set()
    for number in range(count):
        joints = (("." if number >> bit & 1 else "_") for bit in range(len(words) - 1))
        names.add("lora_unet_" + words[0] + "".join(j + w for j, w in zip(joints, words[1:], strict=True)))
    save_file({f"{name}.lora_down.weight": torch.ones(1, 1) for name in names}, path)
    return path


def _layer(path, magnitudes=0):
    tensors = {
        f"lora_unet_{path}.lora_down.weight": torch.ones(2, _SIDES.get(path, 8)),
        f"lora_unet_{path}.lora_up.weight": torch.ones(_SIDES.get(path, 8), 2),
    }
    magnitude = torch.ones(_SIDES.get(path, 8))
    return {**tensors, **({f"lora_unet_{path}.dora_scale": magnitude} if magnitudes else {})}


_SIDES = {"down_blocks_0_attentions_0_proj_in": 320, "mid_block_attentions_0_proj_in": 1280}
"""Those of Stable Diffusion 1."""
UNET = ("down_blocks_0_attentions_0_proj_in", "mid_block_attentions_0_proj_in")


@pytest.mark.parametrize(
    ("paths", "claim", "family", "told"),
    [
        (UNET, "flux-1-dev/lora", None, "the metadata says flux, but the modules are those of a U-Net"),
        (UNET, "stable-diffusion-v1/lora", "sd15", ""),
        (UNET, "stable-cascade", "cascade", ""),
        (("transformer_blocks_0_attn_to_q",), "stable-diffusion-v1/lora", None, "those of a transformer"),
        (("transformer_blocks_0_attn_to_q",), "pixart", "pixart", ""),
    ],
)
def test_metadata_does_not_outweigh_what_kind_of_modules_there_are(paths, claim, family, told, tmp_path):
    tensors = {name: tensor for path in paths for name, tensor in _layer(path).items()}
    save_file(tensors, tmp_path / "x.safetensors", {"modelspec.architecture": claim})
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert adapter.family == family
    assert any(told in warning for warning in adapter.warnings) if told else adapter.warnings == ()


@pytest.mark.parametrize(("magnitudes", "told"), [((1, 0), 1), ((1, 1), 0), ((0, 0), 0)])
def test_magnitudes_of_some_modules_alone_are_told(magnitudes, told, tmp_path):
    tensors = {}
    for path, has in zip(UNET, magnitudes, strict=True):
        tensors |= _layer(path, has)
    save_file(tensors, tmp_path / "x.safetensors")
    warnings = read_adapter(tmp_path / "x.safetensors").warnings
    assert sum("1 of 2 modules have DoRA magnitudes" in warning for warning in warnings) == told


@pytest.mark.parametrize("name", ["lora-1-of-2", "lora_00001_of_00002", "lora-00002-of-00002"])
def test_a_shard_is_no_lora_however_many_digits_it_has(name, tmp_path):
    save_file(_layer(UNET[0]), tmp_path / f"{name}.safetensors")
    with pytest.raises(AdapterError, match="one of 2 files that are one LoRA together"):
        read_adapter(tmp_path / f"{name}.safetensors")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"lora_alpha": 16}, 1),
        ({"lora_alpha": 4}, 0),
        ({"lora_alpha": 4, "use_rslora": True}, 1),
        ({"lora_alpha": 2, "use_rslora": True}, 0),  # 2 / sqrt(4) = 4 / 4
    ],
)
def test_two_alphas_that_disagree_are_told(config, told, tmp_path):
    stem = "unet.mid_block.attentions.0.proj_in"
    tensors = {f"{stem}.lora_A.weight": torch.ones(4, 8), f"{stem}.lora_B.weight": torch.ones(8, 4)}
    settings = json.dumps({f"unet.{name}": value for name, value in {"r": 4, **config}.items()})
    metadata = {"lora_adapter_metadata": settings}
    save_file({**tensors, f"{stem}.alpha": torch.tensor(4.0)}, tmp_path / "x.safetensors", metadata)
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert adapter.modules[0].scale == 1.0
    assert sum("disagree; that in the tensors is used" in warning for warning in adapter.warnings) == told
