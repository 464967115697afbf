"""`--clip-skip` on the command line: the base of an audit and of a training is the one that reads at that layer."""

import dataclasses
import json
from pathlib import Path

from owf.cli.audit import main as audit
from owf.cli.train import main as train
from owf.core.audit.adapter_record import with_base
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.plan import presets
from owf.core.train.metadata import read_metadata
from owf.core.verdict.report import AdapterRecord
from tiny_sd import tiny_parts, write_tiny_lora

CONCEPT = Path(__file__).resolve().parents[2] / "demo" / "concept"


def saved(folder):
    """Write the tiny model as a diffusers folder and return it."""
    index = {"_class_name": "StableDiffusionPipeline"}
    for name, part in vars(tiny_parts()).items():
        part.save_pretrained(folder / name)
        library = "transformers" if name in ("text_encoder", "tokenizer") else "diffusers"
        index[name] = [library, type(part).__name__]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def test_a_layer_that_is_asked_for_reaches_the_report(tmp_path, monkeypatch):
    short = dataclasses.replace(presets.quick_plan(), sampling_steps=2)
    monkeypatch.setitem(presets.PRESETS, "quick", lambda: dataclasses.replace(short, prompts=short.prompts[:4]))
    folder, lora = saved(tmp_path / "base"), write_tiny_lora(tmp_path / "a.safetensors")

    def report(name, *more):
        out = tmp_path / name
        arguments = [lora, "--base", folder, "--metrics", "denoiser_drift", "--offline", "--progress", "none", *more]
        assert audit([*map(str, arguments), "--out", str(out), "--cache", str(tmp_path / "cache")]) in (0, 1, 3)
        (file,) = out.glob("*/report.json")
        return json.loads(file.read_text())

    plain, skipping = report("plain"), report("skipping", "--clip-skip", "2")
    assert "clip skip" not in plain["environment"] and skipping["environment"]["clip skip"] == "2"
    assert plain["base"]["digest"] != skipping["base"]["digest"]
    drifts = [found["measurements"]["denoiser_drift"]["estimates"]["drift"]["value"] for found in (plain, skipping)]
    assert drifts[0] != drifts[1]


def test_a_lora_that_was_trained_at_another_layer_is_named():
    adapter = AdapterRecord("x", "0", "kohya", "lora", "sd15", 1.0, 1, 0, 0.1, {"trained with clip skip": "2"}, ())
    as_trained, plain = (DiffusersDenoiser(tiny_parts(), "tiny", "sd15", layer) for layer in (2, None))
    assert with_base(adapter, as_trained) == adapter
    (warning,) = with_base(adapter, plain).warnings
    assert "trained with clip skip 2" in warning and "clip skip 1" in warning


def test_a_training_reads_at_the_layer_that_is_asked_for(tmp_path):
    options = ("--trigger", "sks", "--class", "pullover", "--steps", "1", "--preserve", "none", "--drift-every", "0",
               "--clip-skip", "2", "--name", "x", "--no-audit", "--offline", "--progress", "none")  # fmt: skip
    where = ("--base", saved(tmp_path / "base"), "--out", tmp_path / "out", "--cache", tmp_path / "cache")
    assert train([str(argument) for argument in (CONCEPT, *options, *where)]) == 0
    assert read_metadata(tmp_path / "out" / "x.safetensors")["ss_clip_skip"] == "2"
