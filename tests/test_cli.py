"""`owf-audit` from outside: exit codes, messages, JSON lines, and a whole run on the demo base."""

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from owf.cli.audit import main
from owf.core.demo import DEMO_BASE, DEMO_LORAS

DEMO_LORA = DEMO_LORAS[0]
WITH_OWF = f"import runpy; runpy.run_path({str(Path(__file__).parent / 'conftest.py')!r})\n"
RUN = WITH_OWF + "import sys; from owf.cli.audit import main; sys.exit(main(sys.argv[1:]))"


HELP = "import sys; from owf.cli.audit import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"


def start(*arguments: object, code: str = RUN, **options) -> subprocess.Popen:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_help_answers_at_once():
    """What takes seconds to import is not imported for it."""
    process = start(code=f"{WITH_OWF}{HELP}")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "PASS, DRIFT" in out
    assert not {"torch", "scipy", "diffusers", "transformers", "PIL", "rich"} & set(out.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--demo"),
        (["--demo", "x.safetensors"], "--demo brings its own"),
        (["missing.safetensors"], "missing.safetensors"),
        (["{lora}", "--base", "/no/such/base"], "no such file"),
        (["{lora}", "--images", "/no/such/images"], "no such folder"),
        (["{lora}", "--policy", "/no/such/policy.toml"], "policy.toml"),
        (["{lora}", "--device", "cuda"], "--device"),
        (["{lora}", "--skip", "semantic,kid,color,denoiser_drift"], "--skip"),
        (["{empty}"], "no LoRA"),
    ],
)
def test_wrong_use_says_what_to_change(arguments, words, tmp_path, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    places = {"lora": DEMO_LORA, "empty": tmp_path}
    code = main([a.format(**places) for a in arguments] + ["--out", str(tmp_path / "out"), "--progress", "none"])
    assert code in (2, 4)
    assert words in capsys.readouterr().err


def test_broken_files_are_invalid(tmp_path, capsys):
    file = tmp_path / "broken.safetensors"
    file.write_bytes(b"<html>not found</html>" * 10)
    assert main([str(file), "--progress", "none", "--out", str(tmp_path)]) == 4
    assert "broken.safetensors" in capsys.readouterr().err


QUICK = ("--base", DEMO_BASE, "--skip", "semantic", "--offline")


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    process = start(DEMO_LORA, *QUICK, "--out", folder, "--cache", folder / "cache", "--progress", "json")
    out, err = process.communicate()
    return folder, process.returncode, [json.loads(line) for line in out.splitlines()], err


def test_a_whole_run_writes_report_and_pictures(demo_run):
    _, code, lines, err = demo_run
    assert code == 1, err
    assert lines[-1]["verdict"] == "DRIFT"
    report = Path(lines[-1]["folder"])
    assert {p.name for p in report.iterdir()} == {"report.json", "report.html", "images"}
    data = json.loads((report / "report.json").read_text())
    assert data["verdict"]["decision"] == "DRIFT"
    assert set(data["measurements"]) == {"denoiser_drift", "color", "kid"}
    assert len(list((report / "images").glob("*.png"))) == 2 * len(data["pairs"])


def test_progress_lines_count_up_to_the_total(demo_run):
    _, _, lines, _ = demo_run
    progress = [line for line in lines if line["event"] in ("progress", "stage", "end")]
    assert progress[-1]["rows"] == progress[-1]["total"] > 0
    assert all(a["rows"] <= b["rows"] for a, b in pairwise(progress))


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_killed_run_resumes_to_the_same_report(demo_run, tmp_path, how):
    folder, _, _, _ = demo_run
    arguments = (DEMO_LORA, *QUICK, "--out", tmp_path, "--cache", folder / "cache", "--progress", "json")
    process = start(*arguments)
    assert process.stdout is not None
    for line in process.stdout:
        if re.search(r'"stage": "LoRA: drawing"', line) and '"progress"' in line:
            break
    getattr(process, how)()
    process.communicate()
    assert list(tmp_path.rglob("samples-*.sqlite"))
    assert not list(tmp_path.rglob("report.json"))
    again = start(*arguments, "--resume")
    out, err = again.communicate()
    assert again.returncode == 1, err
    rows = [json.loads(line) for line in out.splitlines()][-2]["rows"]
    reports = [json.loads(next(f.glob("*/report.json")).read_text()) for f in (folder, tmp_path)]
    compared = 3 * 2 * reports[0]["plan"]["images_per_prompt"] * len(reports[0]["plan"]["prompts"])
    assert rows < reports[0]["cost"]["tuned_rows"] + compared
    for report in reports:
        del report["timing"]
    assert reports[0] == reports[1]
    assert not list(tmp_path.rglob("samples-*.sqlite"))


def test_many_loras_give_an_overview(demo_run, tmp_path, capsys):
    folder, _, _, _ = demo_run
    loras = tmp_path / "loras"
    loras.mkdir()
    (loras / "a.safetensors").symlink_to(DEMO_LORA)
    (loras / "b [bold]\x1b[31m.safetensors").write_bytes(b"junk")
    arguments = [loras, *QUICK, "--out", tmp_path / "out", "--cache", folder / "cache", "--progress", "none"]
    assert main([str(a) for a in arguments]) == 1
    shown = capsys.readouterr().out
    assert "DRIFT" in shown
    assert "INVALID" in shown
    assert "\x1b[31m" not in shown
