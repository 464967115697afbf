"""`owf-audit --allow-pickle`: pickles are read when asked for by name, and only then."""

import pytest
import torch
from owf.cli import audit as command
from safetensors.torch import load_file
from tiny_sd import write_tiny_lora


@pytest.fixture
def seen(monkeypatch):
    """Return the list of adapters that reach the audit, which does not run."""
    found = []
    monkeypatch.setattr(command, "_audit_one", lambda session, adapter, options: found.append(adapter) or 0)
    return found


def pickled(tmp_path, suffix):
    tensors = load_file(write_tiny_lora(tmp_path / "a.safetensors"))
    torch.save(tensors, tmp_path / f"b{suffix}")
    return tmp_path / f"b{suffix}"


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".ckpt"])
def test_a_pickle_is_read_when_allowed(seen, tmp_path, suffix):
    assert command.main([str(pickled(tmp_path, suffix)), "--allow-pickle"]) == 0
    assert len(seen[0].modules) == 3


def test_a_pickle_is_refused_otherwise_and_the_option_is_named(seen, tmp_path, capsys):
    assert command.main([str(pickled(tmp_path, ".pt"))]) == 4
    assert "b.pt: .pt files are pickles, which can run code: convert it, or say that you trust it (--allow-pickle)" in (
        capsys.readouterr().err
    )
    assert seen == []


def test_code_in_a_pickle_never_runs(seen, tmp_path, capsys):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    torch.save({"lora_unet_x.lora_up.weight": Trap()}, tmp_path / "trap.pt")
    assert command.main([str(tmp_path / "trap.pt"), "--allow-pickle"]) == 4
    assert "trap.pt" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()


def test_folders_are_searched_for_safetensors_only(seen, tmp_path):
    pickled(tmp_path, ".pt")
    assert command.main([str(tmp_path), "--allow-pickle"]) == 0
    assert [adapter.path.name for adapter in seen] == ["a.safetensors"]
