"""The audit node on the real executor: the same numbers as the command line, gates, cancel, and nothing left behind."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from graphs import DEMO, audit, show
from owf.core.demo import DEMO_LORAS
from reports import apart, numbers

ROOT = Path(__file__).resolve().parents[2]


def run(host, prompt: dict, *extras: str) -> dict:
    return host.run("run_prompt", prompt=prompt, extras=["nodes_preview_any.py", *extras])


def command_line(folder: Path, *options: str) -> dict:
    command = [sys.executable, str(ROOT), "--demo", *options, "--out", str(folder), "--progress", "none"]
    result = subprocess.run(
        [*command, "--cache", str(folder / "cache")], capture_output=True, text=True, check=False, timeout=900
    )
    assert result.returncode in (0, 1, 3), result.stderr
    (report,) = folder.glob("owf_demo_plain-*/report.json")
    return json.loads(report.read_text())


def test_the_node_reads_what_the_command_line_reads(host, tmp_path):
    expected = command_line(tmp_path / "cli", "--per-class", "4")
    result = run(host, {"1": DEMO, "2": audit(per_class=4), "3": show("2", 1)})
    assert result["success"], result["errors"]
    report = json.loads(result["outputs"]["3"]["text"][0])
    assert report["verdict"]["decision"] == expected["verdict"]["decision"]
    assert report["plan"] == expected["plan"]
    assert not apart(report, expected)
    ours, theirs = numbers(report), numbers(expected)
    headlines = ("denoiser_drift.drift", "color.cdi", "kid.kid_relative", "semantic.accuracy_drop")
    for name in headlines:
        assert ours[f"{name}.value"] == pytest.approx(theirs[f"{name}.value"], rel=1e-4)
    assert result["progress"] > 10


GATE = {
    "1": DEMO,
    "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["2", 6], "text": "a photo of a red bag"}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 96, "height": 96, "batch_size": 1}},
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["2", 5], "positive": ["3", 0], "negative": ["3", 0], "latent_image": ["4", 0], "seed": 1,
            "steps": 2, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
        },
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "PreviewImage", "inputs": {"images": ["6", 0]}},
}  # fmt: skip


@pytest.mark.parametrize("stop", ["never", "on DRIFT or INVALID"])
def test_the_gate_stops_what_follows_and_nothing_else(host, stop):
    prompt = {**GATE, "2": audit(metrics="denoiser_drift", stop_graph=stop), "8": show("2", 0)}
    result = run(host, prompt)
    assert result["outputs"]["8"]["text"] == ["DRIFT"]
    assert ("7" in result["outputs"]) == (stop == "never")
    assert result["success"] and not result["errors"]
    assert [stop in note for note in result["outputs"]["2"]["owf"][0]["notes"]] == [True] * (stop != "never")


def test_a_patched_model_is_audited_without_a_file(host):
    loader = {"class_type": "ModelSamplingDiscrete", "inputs": {"model": ["1", 0], "sampling": "eps", "zsnr": False}}
    prompt = {"1": DEMO, "9": loader, "2": audit(lora="none", tuned_model=["9", 0], metrics="denoiser_drift")}
    result = run(host, {**prompt, "3": show("2", 1)}, "nodes_model_advanced.py")
    report = json.loads(result["outputs"]["3"]["text"][0])
    # The patch replaces the sampling by an equal one, so that nothing is changed: never "harmless", but INVALID.
    assert report["verdict"]["decision"] == "INVALID"
    assert "exactly as the base" in report["verdict"]["reasons"][0]


def test_what_the_hosts_own_loaders_put_on_is_named_by_its_files(host):
    folder = host.home / "output" / "loras"
    folder.mkdir(parents=True, exist_ok=True)
    for name, shipped in zip(("ink", "dog"), DEMO_LORAS, strict=True):
        shutil.copy(shipped, folder / f"{name}.safetensors")
    prompt: dict = {"1": DEMO}
    for node, before, name, strength in (("8", "1", "ink", 0.5), ("9", "8", "dog", 1.0)):
        inputs = {"lora_name": f"{name}.safetensors", "strength_model": strength, "strength_clip": strength}
        inputs |= {"model": [before, 0], "clip": [before, 1]}
        prompt[node] = {"class_type": "LoraLoader", "inputs": inputs}
    prompt["2"] = audit(lora="none", tuned_model=["9", 0], tuned_clip=["9", 1], metrics="denoiser_drift")
    result = run(host, {**prompt, "3": show("2", 1)})
    assert result["success"], result["errors"]
    assert json.loads(result["outputs"]["3"]["text"][0])["adapter"]["name"] == "ink at 0.5 + dog"


@pytest.mark.parametrize(
    ("stage", "metrics"),
    [("Base: predicting", "denoiser_drift"), ("LoRA: predicting", "denoiser_drift"), ("Comparing", "color, kid")],
)
def test_cancel_is_answered_by_the_next_pass_and_leaves_the_models_as_they_were(host, stage, metrics):
    prompt = {"1": DEMO, "2": audit(metrics=metrics)}
    result = host.run("cancelled_audit", prompt=prompt, stage=stage)
    assert result["interrupted"]
    assert result["late"] <= 1
    assert result["same"] and not result["patched"]


@pytest.mark.parametrize(("oom", "said"), [(True, "Out of memory"), (False, "broken")])
def test_a_failure_leaves_the_models_as_they_were(host, oom, said):
    prompt = {"1": DEMO, "2": audit(metrics="denoiser_drift")}
    result = host.run("failing_audit", prompt=prompt, oom=oom)
    assert said in result["message"]
    assert result["same"] and not result["patched"]
