"""Claim: `inspect` says what a file is, fast, without torch, and shows no text as the file wrote it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from imports import heavy_imports
from owf.cli.inspect import main
from safetensors.torch import save_file

RUN_INSPECT = Path(__file__).resolve().parents[1] / "support" / "run_inspect.py"


@pytest.fixture
def file(kohya_tensors, tmp_path):
    metadata = {
        "ss_tag_frequency": json.dumps({"10_ohwx": {"ohwx": 10, "a photo": 9}}),
        "ss_resolution": "(512, 768)",
        "ss_base_model_version": "sd_v1-5",
        "ss_steps": "1200",
        "ss_sd_model_name": "some_base_v2.safetensors",
        "ss_sd_model_hash": "12345678",
        "ss_new_sd_model_hash": "ab" * 32,
    }
    save_file(kohya_tensors(), tmp_path / "tiny.safetensors", metadata=metadata)
    return tmp_path / "tiny.safetensors"


def test_terminal(file, capsys):
    assert main([str(file)]) == 0
    shown = capsys.readouterr().out
    for word in ("kohya", "lora", "ohwx", "512 x 768 px", "AutoV3", "4 / 2", "self-attention", "mid", "1200"):
        assert word in shown
    for word in ("some_base_v2.safetensors", "AutoV2 ababababab, AutoV1 12345678", "sd_v1-5"):
        assert word in shown


def test_json(file, capsys):
    assert main(["--json", str(file)]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["trigger_words"] == ["ohwx"]
    assert told["ranks"] == [4]
    assert told["alphas"] == [2.0]
    assert told["modules"] == {"text_encoder": 12, "unet": 160}
    assert sum(cell["modules"] for cell in told["blocks"]) == 172


def test_estimated_sizes_are_close_to_the_true_ones(base, file):
    from owf.core.adapter import match, read_adapter
    from owf.core.adapter.change.sketch import sketch

    adapter = read_adapter(file)
    estimate = torch.tensor(sketch(adapter).sizes).norm()
    # factors are independent and all elements are read, so only the products' spread remains
    assert estimate == pytest.approx(match(adapter, base.components).delta_norm, rel=0.05)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_every_element_type_is_understood(dtype, kohya_tensors, tmp_path, capsys):
    tensors = {key: tensor.to(dtype) for key, tensor in kohya_tensors().items() if "te_text" in key}
    save_file(tensors, tmp_path / "x.safetensors")
    assert main(["--json", str(tmp_path / "x.safetensors")]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    exact = 0.01 * 8**0.5 * 0.5  # elements of 0.1 each way, rank 4, alpha 2: size per element of the change
    wanted = exact * (32 * 32) ** 0.5 / 2**0.5 * 4**0.5
    found = next(cell["size"] for cell in told["blocks"] if cell["kind"] == "self-attention")
    assert found == pytest.approx(wanted, rel=0.3)


def _changed(tensors, change):
    return {key: change(tensor) if key.endswith("up.weight") else tensor for key, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("change", "problem"),
    [(torch.zeros_like, "changes no weight"), (lambda tensor: tensor * torch.nan, "NaN or infinity")],
    ids=["zero", "NaN"],
)
def test_files_that_no_audit_accepts_are_problems(change, problem, kohya_tensors, tmp_path, capsys):
    save_file(_changed(kohya_tensors(), change), tmp_path / "x.safetensors")
    assert main(["--json", str(tmp_path / "x.safetensors")]) == 4
    assert problem in json.loads(capsys.readouterr().out)[0]["problems"][0]
    assert main([str(tmp_path / "x.safetensors")]) == 4
    assert problem in capsys.readouterr().out


def test_dead_modules_are_counted(kohya_tensors, tmp_path, capsys):
    tensors = kohya_tensors()
    dead = [key for key in tensors if key.endswith("down.weight")][:3]
    save_file(tensors | {key: -torch.zeros_like(tensors[key]) for key in dead}, tmp_path / "x.safetensors")
    assert main([str(tmp_path / "x.safetensors")]) == 0
    assert "3 modules of 172 change nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "dtype"), [(1e300, torch.float64), (1e38, torch.float32), (60000, torch.float16)], ids=str
)
@pytest.mark.filterwarnings("error")
def test_weights_beyond_all_measure_are_pointed_out(value, dtype, kohya_tensors, tmp_path, capsys):
    tensors = _changed(kohya_tensors(), lambda tensor: torch.full_like(tensor, value, dtype=dtype))
    save_file(tensors, tmp_path / "x.safetensors")
    assert main(["--json", str(tmp_path / "x.safetensors")]) == 0
    assert any("far above" in warning for warning in json.loads(capsys.readouterr().out)[0]["warnings"])


OUTPUTS = {
    "a terminal of few letters": ("LC_ALL=C PYTHONIOENCODING=ascii {} > /dev/null", 0, ""),
    "a reader that has gone": ("{} | true; exit ${{PIPESTATUS[0]}}", 141, ""),
    "a full disk": ("{} > /dev/full", 2, "No space left"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_output_that_goes_nowhere_ends_without_a_traceback(name, file):
    line, code, said = OUTPUTS[name]
    program = f"{sys.executable} {RUN_INSPECT} {file}"
    done = subprocess.run(["bash", "-c", line.format(program)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_path_that_leads_nowhere_is_wrong_use_as_for_an_audit_and_named_once(file, tmp_path, capsys):
    path = tmp_path / "missing.safetensors"
    assert main(["--json", str(path)]) == 2
    assert json.loads(capsys.readouterr().out) == [{"file": str(path), "error": "no such file or folder."}]
    (tmp_path / "broken.safetensors").touch()
    assert main([str(path), str(tmp_path / "broken.safetensors")]) == 4  # the worst of them


def test_refusals_set_the_exit_code_and_name_the_file(file, tmp_path, capsys):
    (tmp_path / "empty.safetensors").touch()
    assert main([str(file), str(tmp_path / "empty.safetensors")]) == 4
    assert "empty.safetensors: refused" in capsys.readouterr().out
    assert main(["--json", str(tmp_path / "empty.safetensors")]) == 4
    assert "0 bytes" in json.loads(capsys.readouterr().out)[0]["error"]


def test_hostile_text_is_inert_on_the_terminal(kohya_tensors, tmp_path, capsys):
    nasty = "\x1b]0;owned\x07\x1b[31m[bold]x[/bold]\u202e"
    metadata = {"modelspec.trigger_phrase": nasty, "ss_sd_model_name": nasty}
    path = tmp_path / f"{nasty[:9].replace('/', '')}.safetensors"
    save_file(kohya_tensors(), path, metadata=metadata)
    assert main([str(path)]) == 0
    shown = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert "[bold]x[/bold]" in shown


def test_nothing_heavy_is_imported(file):
    call = f"owf.cli.inspect:main:{json.dumps([str(file)])}"
    assert not {"torch", "diffusers", "transformers", "safetensors"} & set(heavy_imports("owf.core.adapter", call))
