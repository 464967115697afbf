"""The training node on the real executor: the losses of owf-train, a LoRA that loads, cancel, same seed same bytes."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from graphs import DEMO, audit, show

ROOT = Path(__file__).resolve().parents[2]
RUN_TRAIN = ROOT / "tests" / "support" / "run_train.py"
SETTINGS = {
    "name": "mine", "trigger": "sks", "class_word": "pullover", "preset": "drift correction", "steps": 20, "batch": 1,
    "rank": 4, "rate": 1e-3, "dc_weight": 8.0, "drift_budget": 0.0, "train_seed": 0, "folder": "[demo] concept",
    "bank_prompts": 16, "drift_every": 20,
}  # fmt: skip
OPTIONS = (
    "--demo-base --trigger sks --class pullover --steps 20 --batch 1 --rank 4 --rate 1e-3 --seed 0 --bank-prompts 16 "
    "--dc-weight 8 --drift-every 20 --progress none --no-audit --name mine"
)

LOADER = {
    "class_type": "LoraModelLoader",
    "inputs": {"model": ["1", 0], "lora": ["2", 0], "strength_model": 1.0, "bypass": False},
}
"""ComfyUI's own node that applies a LoRA from the graph."""


def train(**inputs):
    models = {"model": ["1", 0], "clip": ["1", 1], "vae": ["1", 2]}
    return {"class_type": "OWF_TrainLoRADC", "inputs": {**models, **SETTINGS, **inputs}}


def run(host, prompt: dict, circumstances: str = "plain") -> dict:
    return host.run("train_prompt", **{"prompt": prompt, "as": circumstances})


def command_line(folder: Path, *more: str, pictures: Path = ROOT / "demo" / "concept") -> list[dict]:
    command = [sys.executable, str(RUN_TRAIN), str(pictures), *OPTIONS.split()]
    places = ["--out", str(folder), "--cache", str(folder / "cache")]
    result = subprocess.run([*command, *places, *more], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in (folder / "mine.curves.jsonl").read_text().splitlines()]


def test_the_node_trains_as_the_command_line_does_and_its_lora_loads(host, tmp_path):
    judge = audit(lora="none", tuned_model=["3", 0], metrics="denoiser_drift")
    result = run(host, {"1": DEMO, "2": train(), "3": LOADER, "4": judge, "5": show("4", 1)})
    assert result["success"], result["errors"]
    curves = result["outputs"]["2"]["owf"][0]["curves"]
    expected = command_line(tmp_path / "cli")
    assert len(curves["loss"]) == len(expected) == 20
    for (step, loss), row in zip(curves["loss"], expected, strict=True):
        assert math.isclose(loss, row["loss"], rel_tol=1e-3), step
    # Drift on the same held-out prompts; both trainings ended at the same place up to rounding.
    assert math.isclose(curves["drift"][-1][1], expected[-1]["drift"], rel_tol=0.02)
    report = json.loads(result["outputs"]["5"]["text"][0])
    assert report["status"] == "complete", report["verdict"]
    assert 0 < report["measurements"]["denoiser_drift"]["estimates"]["drift"]["value"] < 0.05
    assert result["events"] > 1


def test_the_same_seed_gives_the_same_file_and_images_count_as_a_folder_does(host):
    prompt = {"1": DEMO, "2": train(steps=3, drift_every=0), "3": train(steps=3, drift_every=0, train_seed=1)}
    first = run(host, prompt)["files"]
    assert len(set(first.values())) == 2
    again = run(host, {"1": DEMO, "2": train(steps=3, drift_every=0)})["files"]
    assert again == first, "an equal file is not written twice"


def measured(path: Path, folder: Path) -> dict:
    """Return name -> estimate: drift by the audit's quick preset, likeness of 16 drawings to the concept's pictures."""
    from demo_base.judging.pictures import load_demo_base
    from owf.core.adapter import applied, read_adapter
    from owf.core.audit.audit import AuditSetting, audit_change
    from owf.core.audit.change import AdapterChange
    from owf.core.demo import DEMO_BASE
    from owf.core.metrics.images.features import load_features
    from owf.core.metrics.images.likeness import unit
    from owf.core.metrics.statistics import mean_estimate
    from owf.core.model.diffusion.batch import Batching
    from owf.core.model.diffusion.sample import Sampling, generate
    from owf.core.plan.concept import Concept
    from owf.core.plan.presets import preset_plan
    from owf.core.progress import SILENT
    from owf.core.train.data.concept import load_pictures
    from owf.core.train.data.images import read_images
    from owf.core.verdict.policy import default_policy

    concept = Concept("sks", "pullover")
    references = torch.stack(
        list(load_pictures(read_images(ROOT / "demo" / "concept", concept, "a photo of {}"), 96, 0))
    )
    denoiser, features, adapter = load_demo_base(DEMO_BASE), load_features("demo"), read_adapter(path)
    plan = replace(preset_plan("quick", "demo"), metrics=("denoiser_drift",))
    setting = AuditSetting(
        folder / "audit", folder / "cache", default_policy(), SILENT, Batching(32), {"kid": features}, None
    )
    change = AdapterChange(denoiser.components, adapter, 1.0)
    drift = audit_change(denoiser, change, plan, setting).measurements["denoiser_drift"].estimates["drift"]
    with applied(denoiser.components, adapter):
        drawn, _ = generate(
            denoiser, [concept.caption("a photo of {}")] * 16, range(16), Sampling(15, 4.0), Batching(16)
        )
    # Each drawing has a seed of its own: an independent unit.
    likeness = (unit(features(drawn)) @ unit(features(references)).T).mean(axis=1)
    return {"drift": drift, "likeness": mean_estimate(likeness, "cosine")}


def test_both_trainings_end_with_the_same_drift_and_likeness(host, tmp_path):
    settings = {"steps": 60, "batch": 2, "drift_every": 0}
    result = run(host, {"1": DEMO, "2": train(**settings)})
    assert result["success"], result["errors"]
    command_line(tmp_path / "cli", "--steps", "60", "--batch", "2", "--drift-every", "0")
    paths = host.home / "output" / "loras" / "mine.safetensors", tmp_path / "cli" / "mine.safetensors"
    ours, theirs = (measured(path, tmp_path / str(number)) for number, path in enumerate(paths))
    for name, one in ours.items():
        other = theirs[name]
        assert other.low <= one.value <= other.high, (name, one, other)
        assert one.low <= other.value <= one.high, (name, one, other)
    assert ours["drift"].low > 0


def test_models_that_comfyui_itself_loads_are_trained_too(host):
    """Its loader nodes run, as all nodes do, in inference mode, whose tensors autograd refuses."""
    prompt = {"1": DEMO, "2": train(steps=2, drift_every=1)}
    result = run(host, prompt, "loaded in inference mode")
    assert result["success"], result["errors"]
    assert len(result["outputs"]["2"]["owf"][0]["curves"]["loss"]) == 2


def test_stable_diffusion_xl_is_trained_and_its_lora_audited(host):
    """With the pooled vector and sizes that its network takes besides the text."""
    judge = audit(lora="none", tuned_model=["3", 0], metrics="denoiser_drift", resolution=96)
    prompt = {"1": DEMO, "2": train(steps=4, drift_every=2, resolution=96), "3": LOADER, "4": judge}
    found = host.run("train_sdxl", prompt=prompt)
    assert found["success"], found["errors"]
    curves = found["panel"]["curves"]
    assert len(curves["loss"]) == 4 and len(curves["drift"]) == 2
    assert 0 < curves["drift"][-1][1] < 1
    assert "stable-diffusion-xl" in found["kind"]
    assert found["loaded"] == found["layers"] > 0
    assert found["report"]["verdict"] in ("PASS", "DRIFT", "INCONCLUSIVE")


def test_a_cancelled_training_goes_on_with_all_its_curves_to_the_same_bytes(host, tmp_path):
    prompt = {"1": DEMO, "2": train(steps=12, drift_every=4)}
    whole = run(type(host)(tmp_path / "other"), prompt)
    found = host.run("resumed_training", prompt=prompt)
    assert found["stopped"] and found["kept"] == 1 and found["success"] and found["left"] == []
    assert found["first"] > 1, "the second run was to go on from a checkpoint"
    assert [step for step, _ in found["panel"]["curves"]["loss"]] == list(range(1, 13))
    assert found["panel"]["curves"] == whole["outputs"]["2"]["owf"][0]["curves"]
    assert [found["file"]] == list(whole["files"].values())


LONG = "a photo of a sks pullover on a table, " * 14  # about 140 tokens


def test_long_captions_train_as_the_command_line_trains_them(host, tmp_path):
    """CLIP takes 75 tokens; ComfyUI would spread the others over further chunks, which are no training caption."""
    pictures = host.home / "input" / "long"
    pictures.mkdir(parents=True)
    for number, path in enumerate(sorted((ROOT / "demo" / "concept").glob("*.png"))):
        (pictures / path.name).write_bytes(path.read_bytes())
        if number % 2 == 0:
            (pictures / path.name).with_suffix(".txt").write_text(LONG)
    result = run(host, {"1": DEMO, "2": train(folder="long", steps=6, batch=2, drift_every=0)})
    assert result["success"], result["errors"]
    expected = command_line(tmp_path / "cli", "--steps", "6", "--batch", "2", "--drift-every", "0", pictures=pictures)
    for (step, loss), row in zip(result["outputs"]["2"]["owf"][0]["curves"]["loss"], expected, strict=True):
        assert math.isclose(loss, row["loss"], rel_tol=1e-3), step


def test_a_patched_base_trains_the_same_while_comfyui_makes_room_for_other_models(host, tmp_path):
    """The base of the training carries a LoRA of the graph, whose weights ComfyUI would take back when it offloads."""
    second = train(model=["3", 0], name="second", steps=4, drift_every=2)
    prompt = {"1": DEMO, "2": train(steps=2, rate=1e-2, drift_every=0), "3": LOADER, "4": second}
    plain = run(type(host)(tmp_path / "plain"), prompt)
    result = run(host, prompt, "pressed")
    assert result["success"], result["errors"]
    assert len(plain["files"]) == 2 and result["files"] == plain["files"]


def test_cancel_is_answered_before_the_next_step_and_leaves_the_model_as_it_was(host):
    prompt = {"1": DEMO, "2": train(steps=2000, drift_every=0)}
    found = host.run("cancelled_training", prompt=prompt)
    assert found["interrupted"] and found["late"] == 0
    assert found["same"] and found["kinds"] == []
