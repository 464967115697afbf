"""`owf-audit` from outside: exit codes, messages, JSON lines, and a whole run on the demo base."""

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
from imports import output_and_imports
from owf.cli.audit import main
from owf.cli.command import CRASHED, INTERRUPTED, UNREAD
from owf.cli.output import events
from owf.core.demo import DEMO_BASE, DEMO_LORAS
from owf.core.verdict.verdict import EXIT_CODES

DEMO_LORA = DEMO_LORAS[0]
EVENTS = json.loads((Path(events.__file__).parents[1] / "events.schema.json").read_text())
SHORT_AUDIT = Path(__file__).parents[1] / "support" / "short_audit.py"


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, str(SHORT_AUDIT), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_help_imports_little():
    out, names = output_and_imports(SHORT_AUDIT, "--help")
    assert "PASS, DRIFT" in out
    assert not names & {"torch", "scipy", "PIL", "rich", "jinja2", "diffusers", "transformers", "safetensors"}
    assert len(names) < 400  # about 360, all but a few numpy's and small files of our own: a third of a second


@pytest.mark.parametrize("option", ["--strength", "--seed", "--per-class", "--batch"])
@pytest.mark.parametrize("value", ["x", "", "1e400", "0x10"])
def test_a_number_that_is_none_is_told_in_plain_words(option, value, capsys):
    with pytest.raises(SystemExit) as ending:
        main(["x.safetensors", f"{option}={value}"])
    said = capsys.readouterr().err
    assert ending.value.code == 2
    assert f"argument {option}: must be a " in said and "_" not in said.splitlines()[-1]


def test_help_names_every_exit_code_and_where_the_defaults_are(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for code in (*EXIT_CODES.values(), INTERRUPTED, CRASHED, UNREAD):
        assert re.search(rf"\b{code}\b", said.split("exit codes:")[1])
    assert said.count("default: the preset's") == 4
    assert not re.search(r"--(strength|out|cache|seed|batch|images) (STRENGTH|OUT|CACHE|SEED|BATCH|DIR)\b", said)
    assert "STL-10" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--demo"),
        (["--demo", "x.safetensors"], "--demo brings its own"),
        (["missing.safetensors"], "missing.safetensors"),
        (["{lora}", "--base", "/no/such/base"], "no such file"),
        (["{lora}", "--images", "/no/such/images"], "no such folder"),
        (["{lora}", "--policy", "/no/such/policy.toml"], "(--policy)"),
        (["{lora}", "--images", "{empty}", "--dataset", "stl10"], "(--images, --dataset)"),
        (["{lora}", "--images", "/no/such/images", "--dataset", "stl10"], "(--images, --dataset)"),
        (["{lora}", "--dataset", "stl10"], "none is named (--images)"),
        (["{lora}", "--device", "cuda"], "--device"),
        (["{lora}", "--skip", "map,semantic,kid,color,color_shift,denoiser_drift"], "--skip"),
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


QUICK = ("--base", DEMO_BASE, "--skip", "semantic,map", "--offline", "--batch", "8")
DRAWN = 4 * 2 * 12
"""Rows of a batch's pictures: 8 rows are 4 prompts with and without guidance, and the preset takes 12 steps."""


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
    assert {p.name for p in report.iterdir()} == {
        "report.json", "report.html", "summary.png", "summary.md", "badge.svg", "images",
    }  # fmt: skip
    data = json.loads((report / "report.json").read_text())
    assert data["verdict"]["decision"] == "DRIFT"
    assert set(data["measurements"]) == {"denoiser_drift", "color", "color_shift", "kid"}
    assert len(list((report / "images").glob("*.png"))) == 2 * len(data["pairs"])


def test_progress_lines_count_up_to_the_total(demo_run):
    _, _, lines, _ = demo_run
    for line in lines:
        jsonschema.validate(line, EVENTS)
    progress = [line for line in lines if line["event"] in ("progress", "stage", "end")]
    assert progress[-1]["rows"] == progress[-1]["total"] > 0
    assert all(a["rows"] <= b["rows"] for a, b in pairwise(progress))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_killed_run_resumes_to_the_same_report(demo_run, tmp_path, how):
    folder, _, _, _ = demo_run
    arguments = (DEMO_LORA, *QUICK, "--out", tmp_path, "--cache", folder / "cache", "--progress", "json")
    process = start(*arguments)
    assert process.stdout is not None
    begin = None
    for line in map(json.loads, process.stdout):
        if line.get("stage") == "LoRA: drawing":
            begin = line["rows"] if begin is None else begin
            if line["rows"] - begin > DRAWN:  # the first pictures are kept, the next ones are half done
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
    assert rows <= reports[0]["cost"]["tuned_rows"] + compared - DRAWN
    for report in reports:
        del report["timing"]
    assert reports[0] == reports[1]
    assert not list(tmp_path.rglob("samples-*.sqlite"))


def test_many_loras_give_an_overview(tmp_path, capsys):
    loras = tmp_path / "loras"
    loras.mkdir()
    (loras / "a.safetensors").symlink_to(DEMO_LORA)
    (loras / "b [bold]\x1b[31m.safetensors").write_bytes(b"junk")
    # Of the whole plan, since the work is done in processes of its own: one number to save time.
    asked = ("--base", DEMO_BASE, "--metrics", "denoiser_drift", "--offline")
    arguments = [loras, *asked, "--out", tmp_path / "out", "--cache", tmp_path / "cache", "--progress", "none"]
    assert main([str(a) for a in arguments]) == 1
    shown = capsys.readouterr().out
    assert "DRIFT" in shown
    assert "INVALID" in shown
    assert "\x1b[31m" not in shown
