"""`owf-train` and `owf-audit` on a tiny FLUX.1, Z-Image and FLUX.2 klein, from the command line."""

import dataclasses
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from hashlib import sha256
from pathlib import Path

import pytest
from owf.cli.audit import main as audit_main
from owf.cli.train import main
from owf.core.audit.change import BESIDE
from owf.core.model.diffusion import drawings
from owf.core.model.diffusion.sample import Sampling
from owf.core.plan import presets
from owf.core.train import base_check
from owf.core.train.data.bank import read_bank, shipped_bank
from owf.core.train.metadata import read_metadata
from safetensors.torch import load_file
from tiny_flows import TRAINED, save_folder

CONCEPT = Path(__file__).resolve().parents[3] / "demo" / "concept"
OPTIONS = ("--trigger", "sks", "--class", "pullover", "--preset", "quick", "--steps", "2", "--rate", "1e-2",
           "--rank", "4", "--drift-every", "2", "--bank-prompts", "3", "--name", "flow", "--no-audit", "--offline",
           "--progress", "json")  # fmt: skip


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(drawings, "SAMPLING", Sampling(2, 1.0))
    monkeypatch.setattr(base_check, "SAMPLING", Sampling(2, 1.0))
    short = dataclasses.replace(presets.quick_plan(), images_per_prompt=1, sampling_steps=3)
    monkeypatch.setitem(presets.PRESETS, "quick", lambda: dataclasses.replace(short, prompts=short.prompts[:2]))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    (folder / "bank.txt").write_text("\n".join(read_bank(shipped_bank("flux"))[::30]))
    return folder


@pytest.fixture(scope="module", params=TRAINED)
def base(request, tmp_path_factory):
    return save_folder(request.param, TRAINED[request.param](), tmp_path_factory.mktemp(request.param) / "base")


def called(command, *arguments):
    """Return exit code, JSON lines and stderr of a call in this process."""
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(io.StringIO()) as stderr:
        code = command([str(argument) for argument in arguments])
    return code, [json.loads(line) for line in stdout.getvalue().splitlines()], " ".join(stderr.getvalue().split())


def train(base, out, cache, *more):
    where = ("--base", base, "--out", out, "--cache", cache, "--bank", cache / "bank.txt")
    return called(main, CONCEPT, *OPTIONS, *where, *more)


def test_what_is_trained_is_audited_however_the_base_is_kept(base, cache, tmp_path):
    code, lines, stderr = train(base, tmp_path / "plain", cache)
    assert code == 0, stderr
    steps = [line for line in lines if line["event"] == "step"]
    assert steps[-1]["terms"]["dc"] > 0 and steps[-1]["drift"] > 0
    path = tmp_path / "plain" / "flow.safetensors"
    plan = json.loads(read_metadata(path)["owf.plan"])
    assert (plan["targets"], plan["accumulate"], plan["steps"]) == ("transformer", 2, 2)
    assert any(".ff" in name or ".feed_forward" in name for name in load_file(path))

    code, _, stderr = train(base, tmp_path / "waiting", cache, "--offload", "model")
    assert code == 0, stderr
    assert sha256(path.read_bytes()).digest() == sha256((tmp_path / "waiting" / path.name).read_bytes()).digest()

    options = ("--metrics", "denoiser_drift", "--strength", "3", "--offline", "--progress", "json")
    where = ("--base", base, "--cache", cache, "--out", tmp_path / "audits")
    for more, way in (((), None), (("--offload", "model"), BESIDE)):
        code, lines, stderr = called(audit_main, path, *where, *options, *more)
        assert code in (0, 1, 3), stderr
        report = json.loads((Path(lines[-1]["folder"]) / "report.json").read_text())
        assert report["adapter"]["unmatched"] == 0 and report["adapter"]["matched"] > 0
        assert report["measurements"]["denoiser_drift"]["estimates"]["drift"]["value"] > 1e-6
        assert way is None or report["adapter"]["details"]["applied"] == way


@pytest.mark.parametrize(("quantize", "library"), [("int8", "torchao"), ("nf4", "bitsandbytes")])
def test_a_rounded_base_is_trained(base, cache, tmp_path, quantize, library):
    pytest.importorskip(library)
    code, lines, stderr = train(base, tmp_path, cache, "--quantize", quantize, "--checkpointing", "--preserve", "class")
    assert code == 0, stderr
    assert lines[-1]["event"] == "trained" and load_file(tmp_path / "flow.safetensors")


def test_text_encoders_are_refused_by_name(base, cache, tmp_path):
    code, _, stderr = train(base, tmp_path, cache, "--train-text-encoder")
    assert code == 2
    assert "its transformer is, alone" in stderr and "without --train-text-encoder" in stderr
