"""What is one LoRA: said by one function for the audit, for inspect and for the reader."""

import json
import os
import struct

import pytest
import torch
from owf.cli.audit import main
from owf.core.adapter import read_adapter
from owf.core.adapter.containers import lora_folder
from owf.core.adapter.find import find_loras
from owf.core.errors import AdapterError, UsageError
from safetensors.torch import save_file

CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 4}
UNET, TEXT = "down_blocks.0.attentions.0.proj_in", "text_model.encoder.layers.0.self_attn.q_proj"


def weights(path, layer="lora_unet_down_blocks_0_attentions_0_proj_in", peft=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    up, down = torch.ones(4, 2), torch.ones(2, 4)
    names = (f"base_model.model.{layer}.lora_B.weight", f"base_model.model.{layer}.lora_A.weight")
    names = names if peft else (f"{layer}.lora_up.weight", f"{layer}.lora_down.weight")
    save_file(dict(zip(names, (up, down), strict=True)), path)
    return path


def peft(folder, layer=UNET, name="adapter_model.safetensors"):
    weights(folder / name, layer, peft=True)
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG))
    return folder


def both(folder):
    peft(folder / "unet")
    peft(folder / "text_encoder", TEXT)
    return folder


def found(path):
    return [lora.relative_to(path).as_posix() for lora in find_loras(path).paths]


def names_inspected(path, capsys):
    code = main(["inspect", "--json", str(path)])
    return code, [entry["file"] for entry in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize("given", ["itself", "its parent", "far above"])
def test_a_folder_for_each_component_is_one_lora(tmp_path, given, capsys):
    lora = both(tmp_path / "a" / "b" / "OUT")
    path = {"itself": lora, "its parent": lora.parent, "far above": tmp_path}[given]
    assert find_loras(path).paths == (lora,)
    assert names_inspected(path, capsys) == (0, ["OUT"])
    adapter = read_adapter(lora)
    assert {module.component for module in adapter.modules} == {"unet", "text_encoder"}
    assert sum(len(module.slots) for module in adapter.modules) == 4


def test_halves_that_are_links_or_end_in_capitals(tmp_path):
    both(tmp_path / "drive")
    lora = tmp_path / "loras" / "mine"
    lora.mkdir(parents=True)
    for part in ("unet", "text_encoder"):
        (lora / part).symlink_to(tmp_path / "drive" / part)
    assert find_loras(tmp_path / "loras").paths == (lora,)
    (tmp_path / "drive" / "unet" / "adapter_model.safetensors").rename(
        tmp_path / "drive" / "unet" / "ADAPTER_MODEL.SAFETENSORS"
    )
    assert find_loras(tmp_path / "loras").paths == (lora,)
    assert len(read_adapter(lora).modules) == 2


def test_halves_as_diffusers_names_them(tmp_path):
    weights(tmp_path / "mine" / "unet" / "pytorch_lora_weights.safetensors", UNET)
    weights(tmp_path / "mine" / "text_encoder" / "pytorch_lora_weights.safetensors", TEXT)
    assert found(tmp_path) == ["mine"]


def test_a_half_that_is_named_itself_is_read_and_the_other_is_said(tmp_path, capsys):
    lora = both(tmp_path / "OUT")
    half = find_loras(lora / "unet")
    assert half.paths == (lora / "unet",)
    assert [item.path for item in half.left_out] == [lora / "text_encoder"]
    assert main(["inspect", "--json", str(lora / "unet")]) == 0
    said = capsys.readouterr().err
    assert "text_encoder (another part of the same LoRA" in said
    file = read_adapter(lora / "text_encoder" / "adapter_model.safetensors")
    assert [module.component for module in file.modules] == ["text_encoder"]


def test_nothing_beside_a_lora_is_swallowed_by_it(tmp_path):
    peft(tmp_path)
    weights(tmp_path / "style.safetensors")
    weights(tmp_path / "pytorch_lora_weights.safetensors")
    both(tmp_path / "checkpoint-500")
    weights(tmp_path / "checkpoint-500" / "unet" / "other.safetensors")
    assert found(tmp_path) == [
        ".",
        "checkpoint-500",
        "checkpoint-500/unet/other.safetensors",
        "pytorch_lora_weights.safetensors",
        "style.safetensors",
    ]


def test_folders_as_people_keep_them(tmp_path, capsys):
    loras = tmp_path / "loras"
    weights(tmp_path / "drive" / "deep" / "linked.safetensors")
    weights(loras / "UPPER.SAFETENSORS")
    weights(loras / "plain.safetensors")
    (loras / "styles").symlink_to(tmp_path / "drive")
    (loras / "file.safetensors").symlink_to(tmp_path / "drive" / "deep" / "linked.safetensors")
    (tmp_path / "drive" / "back").symlink_to(loras)
    (loras / "._plain.safetensors").write_bytes(
        struct.pack(">II16sH", 0x00051607, 0x00020000, b"Mac OS X", 1) + bytes(99)
    )
    (loras / "__MACOSX").mkdir()
    (loras / "__MACOSX" / "x.safetensors").touch()
    for name in ("notes.txt", "plain.png", "plain.civitai.info"):
        (loras / name).touch()
    assert found(loras) == ["UPPER.SAFETENSORS", "file.safetensors", "plain.safetensors"]  # the link was met first
    assert find_loras(loras).left_out == ()
    assert names_inspected(loras, capsys)[0] == 0


def test_what_might_have_been_one_is_said(tmp_path, capsys):
    weights(tmp_path / "a.safetensors")
    for name in ("b.pt", "c.CKPT", "d.bin", "e.safetensors.crdownload", "f.txt"):
        (tmp_path / name).touch()
    (tmp_path / "gone.safetensors").symlink_to(tmp_path / "nowhere")
    (tmp_path / "unmounted").symlink_to(tmp_path / "nowhere")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    left_out = {item.path.name: item.reason.split(",")[0] for item in find_loras(tmp_path).left_out}
    assert left_out == {
        **dict.fromkeys(("b.pt", "c.CKPT", "d.bin"), "a pickle"),
        "e.safetensors.crdownload": "an unfinished download",
        **dict.fromkeys(("gone.safetensors", "unmounted"), "a link that leads nowhere"),
    }
    assert main(["inspect", str(tmp_path)]) == 0
    assert "b.pt, c.CKPT, d.bin (a pickle" in capsys.readouterr().err


def test_places_without_a_lora(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert find_loras(tmp_path).paths == ()
    assert main(["inspect", str(tmp_path)]) == 2
    with pytest.raises(UsageError, match="no such file or folder"):
        find_loras(tmp_path / "missing")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="leads nowhere"):
        find_loras(tmp_path / "gone")
    assert main(["inspect", str(tmp_path / "missing")]) == 2
    assert main([str(tmp_path)]) == 2
    assert "There is no LoRA" in capsys.readouterr().err


def test_the_folder_one_stands_in_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(both(tmp_path / "OUT"))
    (lora,) = find_loras(type(tmp_path)()).paths
    assert lora.name == "OUT"


def test_a_link_to_a_part_takes_nothing_away_from_the_whole(tmp_path):
    """The link comes first by name; the configuration beside the real file belongs to it too."""
    real = both(tmp_path / "loras" / "real")
    (tmp_path / "loras" / "alias").mkdir()
    link = tmp_path / "loras" / "alias" / "my.safetensors"
    link.symlink_to(real / "unet" / "adapter_model.safetensors")
    assert found(tmp_path / "loras") == ["real"]
    assert read_adapter(link).alphas == read_adapter(real / "unet").alphas == (4.0,)


def test_a_lora_in_a_store_of_blobs_is_found_by_its_name(tmp_path):
    weights(tmp_path / "blobs" / "0123abcd")
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "my.safetensors").symlink_to(tmp_path / "blobs" / "0123abcd")
    assert found(tmp_path) == ["snapshots/my.safetensors"]


@pytest.mark.parametrize("name", ["my-00001-of-00002.safetensors", "x-00002-of-00002.safetensors"])
def test_one_of_several_files_is_no_whole_lora(name, tmp_path):
    with pytest.raises(AdapterError, match="one of 2 files"):
        read_adapter(weights(tmp_path / name))


def test_a_half_without_its_weights_is_no_whole_lora(tmp_path):
    lora = both(tmp_path / "OUT")
    (lora / "text_encoder" / "adapter_model.safetensors").unlink()
    with pytest.raises(AdapterError, match="text_encoder has a configuration, but no weights"):
        read_adapter(lora)


@pytest.mark.parametrize(
    "places",
    [
        ("unet/style", "text_encoder/style"),
        ("unet/style", "text_encoder"),
        ("unet", "text_encoder/other"),
        ("unet_lora", "text_encoder_lora"),
        ("lora-unet", "lora-text_encoder"),
        ("unet_lora/style", "text_encoder_lora/style"),
    ],
)
@pytest.mark.parametrize("above", ["OUT", ""])
def test_parts_in_folders_named_otherwise_are_one_lora(places, above, tmp_path, capsys):
    """PEFT puts an adapter that is not called default into a folder of that name."""
    lora = tmp_path / "OUT"
    for place, layer in zip(places, (UNET, TEXT), strict=True):
        peft(lora / place, layer)
    (lora / "unet").mkdir(exist_ok=True)  # a base's, beside the LoRA's
    assert find_loras(tmp_path / above).paths == (lora,)
    assert find_loras(tmp_path / above).left_out == ()
    adapter = read_adapter(lora)
    assert {module.component for module in adapter.modules} == {"unet", "text_encoder"}
    half = find_loras(lora / places[0])
    assert half.paths == (lora / places[0],)
    assert [item.path for item in half.left_out] == [lora / places[1]]
    assert f"name {lora} to audit all" in half.left_out[0].reason
    alone = read_adapter(lora / places[1])
    assert alone.components == ("text_encoder",)
    file = find_loras(lora / places[1] / "adapter_model.safetensors")
    assert [item.path for item in file.left_out] == [lora / places[0]]


def test_peft_itself_lays_named_adapters_out_so(small_base, tmp_path):
    import copy

    from peft import LoraConfig, get_peft_model

    for part, layer in (("unet", "to_q"), ("text_encoder", "q_proj")):
        config = LoraConfig(r=2, target_modules=[layer], init_lora_weights=False)
        model = get_peft_model(copy.deepcopy(small_base.components[part]), config, adapter_name="style")
        model.save_pretrained(tmp_path / "OUT" / part)
    assert found(tmp_path) == ["OUT"]
    assert read_adapter(tmp_path / "OUT").components == ("text_encoder", "unet")


def test_several_named_adapters_are_several_loras(tmp_path):
    for name in ("style", "other"):
        peft(tmp_path / "unet" / name)
    assert found(tmp_path) == ["unet/other", "unet/style"]
    assert read_adapter(tmp_path / "unet" / "style").components == ("unet",)


def test_an_adapter_with_a_name_beside_one_without_is_no_half(tmp_path):
    both(tmp_path / "OUT")
    peft(tmp_path / "OUT" / "unet" / "style")
    assert found(tmp_path) == ["OUT", "OUT/unet/style"]
    assert len(read_adapter(tmp_path / "OUT").modules) == 2


@pytest.mark.parametrize("default", [True, False])
def test_parts_of_several_loras_in_the_same_folders_are_said_and_not_read_as_halves(default, tmp_path):
    if default:
        both(tmp_path / "OUT")
    for name in ("style", "other"):
        peft(tmp_path / "OUT" / "unet" / name)
        peft(tmp_path / "OUT" / "text_encoder" / name, TEXT)
    assert found(tmp_path) == (["OUT"] if default else [])
    left_out = {
        item.path.relative_to(tmp_path / "OUT").as_posix(): item.reason for item in find_loras(tmp_path).left_out
    }
    assert left_out.keys() == {"unet/style", "unet/other", "text_encoder/style", "text_encoder/other"}
    assert "text_encoder/style" in left_out["unet/style"]
    if not default:
        with pytest.raises(AdapterError):
            read_adapter(tmp_path / "OUT")
    half = find_loras(tmp_path / "OUT" / "unet" / "style")
    assert [item.path for item in half.left_out] == [tmp_path / "OUT" / "text_encoder" / "style"]
    assert "to audit all" not in half.left_out[0].reason


@pytest.mark.parametrize("note", [".aria2", ".crdownload", ".part", ".!qB", ".tmp", ".download"])
def test_a_file_beside_notes_of_its_download(note, tmp_path, capsys):
    whole = weights(tmp_path / "whole.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[:-5])
    for file in (whole, cut):
        file.with_name(file.name + note).touch()
    assert any(f"whole.safetensors{note} lies beside it" in warning for warning in read_adapter(whole).warnings)
    with pytest.raises(AdapterError, match=r"cut off.*cut\.safetensors.* lies beside it"):
        read_adapter(cut)
    assert {item.path.name: item.reason for item in find_loras(tmp_path).left_out} == {
        f"{name}.safetensors{note}": "an unfinished download" for name in ("whole", "cut")
    }


@pytest.mark.parametrize("target", ["itself", "x" * 300])
def test_an_entry_that_the_system_refuses_is_one_row_and_the_rest_goes_on(target, tmp_path):
    weights(tmp_path / "a" / "mine.safetensors")
    weights(tmp_path / "a" / "adapter_model.safetensors")
    weights(tmp_path / "b.safetensors")
    for name in ("adapter_config.json", "odd.safetensors", "unet", "pytorch_lora_weights.safetensors"):
        link = tmp_path / "a" / name
        link.symlink_to(link if target == "itself" else target)
    (tmp_path / "c").mkdir()
    odd = tmp_path / "c" / "adapter_model.safetensors"
    odd.symlink_to(odd if target == "itself" else target)
    found = find_loras(tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in found.paths}
    assert {"b.safetensors", "a/mine.safetensors"} <= names
    assert "a/odd.safetensors" in {item.path.relative_to(tmp_path).as_posix() for item in found.left_out}
    assert all(item.reason for item in found.left_out)
    with pytest.raises(UsageError):
        find_loras(tmp_path / ("y" * 300))


def test_a_folder_that_may_not_be_entered_is_one_row_and_the_rest_goes_on(tmp_path, monkeypatch):
    """Root may enter all, so that the system's answer is made up."""
    weights(tmp_path / "a" / "mine.safetensors")
    peft(tmp_path / "a" / "unet")
    peft(tmp_path / "a" / "text_encoder")
    ask, look = os.stat, os.scandir

    def refuse(answer):
        def wrapped(path, *rest, **settings):
            if "unet" in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return answer(path, *rest, **settings)

        return wrapped

    read = type(tmp_path).iterdir
    monkeypatch.setattr(os, "stat", refuse(ask))
    monkeypatch.setattr(os, "lstat", refuse(os.lstat))
    monkeypatch.setattr(os, "scandir", refuse(look))
    monkeypatch.setattr(type(tmp_path), "iterdir", lambda path: refuse(read)(path))
    found = find_loras(tmp_path)
    assert tmp_path / "a" / "mine.safetensors" in found.paths
    assert any("Permission denied" in item.reason for item in found.left_out)


@pytest.mark.parametrize(
    "names", [("unet", "text_encoder_1"), ("lora_unet", "lora_te"), ("unet", "te1"), ("unet", "te")]
)
def test_a_text_encoder_has_many_names(names, tmp_path):
    peft(tmp_path / "mine" / names[0])
    peft(tmp_path / "mine" / names[1], TEXT)
    assert found(tmp_path) == ["mine"]
    adapter = read_adapter(tmp_path / "mine")
    assert {module.component for module in adapter.modules} == {"unet", "text_encoder"}


def test_a_folder_of_many_is_not_listed_for_each_of_them(tmp_path, monkeypatch):
    for number in range(20):
        (tmp_path / f"{number}.safetensors").write_bytes(b"x")
        peft(tmp_path / f"peft{number}")
    listed = []
    real = lora_folder.by_name
    monkeypatch.setattr(lora_folder, "by_name", lambda folder: listed.append(folder) or real(folder))
    assert len(find_loras(tmp_path).paths) == 40
    assert listed.count(tmp_path) < 10
