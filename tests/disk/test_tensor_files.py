"""What is no safetensors file is named by what it is, the same for LoRAs and bases; its endings are one list."""

import struct

import pytest
import torch
from owf.core.adapter import read_adapter
from owf.core.adapter.find import find_loras
from owf.core.disk.tensor_files import PICKLES, SAFETENSORS, instead_of_header
from owf.core.errors import AdapterError, UsageError
from owf.core.model.base import choose_base, load_base
from safetensors.torch import save_file

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 4265146304\n"
OTHERS = {
    "a Git LFS pointer": POINTER,
    "a web page": b"\xef\xbb\xbf\n<!DOCTYPE html><html><head><title>Sign in</title></head></html>",
    "a web page or JSON text": b'{"error": "Access to the model is restricted"}',
    "a text instead of tensors": b"Sign in to download this file, then try again.\r\n",
    "a GGUF file": b"GGUF\x03\x00\x00\x00" + bytes(100),
    "a zip archive": b"PK\x03\x04\x14\x00\x00\x08\x08\x00" + bytes(100),
    "empty": b"",
}


def base_error(path):
    with pytest.raises(UsageError) as caught:
        load_base(choose_base(str(path), None), torch.device("cpu"), torch.float32, offline=True)
    assert path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", SAFETENSORS)
@pytest.mark.parametrize("kind", OTHERS)
def test_what_was_saved_instead_is_named_for_loras_and_bases(kind, ending, tmp_path):
    path = tmp_path / f"x{ending}"
    path.write_bytes(OTHERS[kind])
    with pytest.raises(AdapterError, match=kind):
        read_adapter(path)
    message = base_error(path)
    assert kind in message
    assert "SafetensorError" not in message


def test_a_file_that_was_cut_off_in_its_header_is_not_called_another_kind(tmp_path):
    save_file({"x": torch.zeros(4)}, tmp_path / "whole.safetensors")
    path = tmp_path / "x.safetensors"
    path.write_bytes((tmp_path / "whole.safetensors").read_bytes()[:30])
    with pytest.raises(AdapterError, match="claims"):
        read_adapter(path)
    assert "another ending" not in base_error(path)


def test_a_sound_file_may_begin_with_any_byte():
    for first in b"<{[PKG\x80\xff":
        start = struct.pack("<Q", first) + b"{" * 56
        assert instead_of_header(start, 8 + first) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.sft", "Stable Diffusion 1"),  # read, and found to hold one tensor
        ("x.SFT", "Stable Diffusion 1"),
        ("x.gguf", "rename it to .safetensors"),
        ("x", "rename it to .safetensors"),
        ("x.ckpt", "rename it to .safetensors"),
        ("x.PT", "rename it to .safetensors"),
    ],
)
def test_bases_are_told_apart_by_one_list_of_endings(name, words, tmp_path):
    save_file({"x": torch.zeros(4)}, tmp_path / name)
    message = base_error(tmp_path / name)
    assert words in message
    assert "pickle" not in message


@pytest.mark.parametrize("old", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("ending", PICKLES)
def test_pickles_are_called_so_as_bases(tmp_path, ending, old):
    torch.save({"x": torch.zeros(4)}, tmp_path / f"x{ending}", _use_new_zipfile_serialization=not old)
    message = base_error(tmp_path / f"x{ending}")
    assert message.endswith("this is a pickle, which can run code.")


@pytest.mark.parametrize("allow_pickle", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in OTHERS if kind != "a zip archive"])
def test_other_files_that_end_like_pickles_are_told_by_what_is_in_them(tmp_path, kind, allow_pickle):
    (tmp_path / "x.pt").write_bytes(OTHERS[kind])
    with pytest.raises(AdapterError, match=kind):
        read_adapter(tmp_path / "x.pt", allow_pickle=allow_pickle)
    assert kind in base_error(tmp_path / "x.pt")


@pytest.mark.parametrize("allow_pickle", [False, True])
def test_a_lora_that_only_ends_like_a_pickle_is_to_be_renamed(tmp_path, allow_pickle):
    save_file({"x": torch.zeros(4)}, tmp_path / "x.pt")
    with pytest.raises(AdapterError, match=r"rename it to \.safetensors"):
        read_adapter(tmp_path / "x.pt", allow_pickle=allow_pickle)


def test_short_endings_are_loras_in_folders_and_by_name(tmp_path):
    tensors = {
        "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": torch.ones(2, 4),
        "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight": torch.ones(4, 2),
    }
    for name in ("a.sft", "b.SFT", "c.safetensors"):
        save_file(tensors, tmp_path / name)
    found = find_loras(tmp_path)
    assert [path.name for path in found.paths] == ["a.sft", "b.SFT", "c.safetensors"]
    assert not found.left_out
    assert len(read_adapter(tmp_path / "a.sft").modules) == 1
