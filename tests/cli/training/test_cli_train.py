"""`owf-train` on the demo base: its files, interrupts, the same bytes, and what its LoRA is to other programs."""

import io
import json
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
import torch
from owf.cli.output import events
from owf.cli.train import main
from owf.cli.training import session
from owf.cli.training.options import RunOptions
from owf.core.errors import UsageError
from owf.core.train.data.bank import read_bank, shipped_bank
from owf.core.train.metadata import read_metadata

ROOT = Path(__file__).resolve().parents[3]
CONCEPT = ROOT / "demo" / "concept"
EVENTS = json.loads((Path(events.__file__).parents[1] / "events.schema.json").read_text())
RUN_TRAIN = ROOT / "tests" / "support" / "run_train.py"


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, str(RUN_TRAIN), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


SMALL = ("--demo-base", "--trigger", "sks", "--class", "pullover", "--steps", "8", "--batch", "2", "--rate", "1e-3",
         "--drift-every", "4", "--drift-budget", "0.001", "--name", "pullover", "--no-audit",
         "--offline", "--progress", "json")  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Return a folder for the base's drawings, with a small bank in it."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "bank.txt").write_text("\n".join(read_bank(shipped_bank("demo"))[::20]))
    return folder


def call(*arguments):
    """Return exit code, JSON lines and stderr of a call in this process: importing torch takes longer than training."""
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(io.StringIO()) as stderr:
        code = main([str(argument) for argument in arguments])
    return code, [json.loads(line) for line in stdout.getvalue().splitlines()], stderr.getvalue()


def train(out, cache, *more):
    return call(CONCEPT, *SMALL, "--out", out, "--cache", cache, "--bank", cache / "bank.txt", *more)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, cache):
    out = tmp_path_factory.mktemp("out")
    code, lines, stderr = train(out, cache, "--validation", CONCEPT)
    assert code == 0, stderr
    return out, lines


def test_everything_lies_in_its_folder_under_its_name(trained):
    out, lines = trained
    files = {
        "pullover.safetensors",
        "pullover.checkpoint",
        "pullover.toml",
        "pullover.curves.jsonl",
        "pullover.curves.png",
    }
    assert {p.name for p in out.iterdir()} - {"pullover.tensorboard"} == files
    assert lines[-1]["event"] == "trained"
    assert Path(lines[-1]["path"]) == out / "pullover.safetensors"


def test_every_measurement_has_a_line(trained):
    for line in trained[1]:
        jsonschema.validate(line, EVENTS)
    steps = [line for line in trained[1] if line["event"] == "step"]
    measured = {line["step"]: line for line in steps if line["drift"] is not None}
    assert set(measured) == {4, 8}
    assert all(line["drift"] > 0 and line["validation"] > 0 for line in measured.values())
    assert set(steps[-1]["weights"]) == set(steps[-1]["terms"]) == {"dc"}


def test_the_file_says_how_it_was_trained(trained):
    facts = read_metadata(trained[0] / "pullover.safetensors")
    assert json.loads(facts["owf.plan"])["class_word"] == "pullover"
    assert facts["ss_steps"] == "8"
    assert len(facts["owf.run"]) == 64
    assert str(trained[0]) not in json.dumps(facts)


def test_the_written_options_train_the_same_bytes(trained, cache, tmp_path):
    config = trained[0] / "pullover.toml"
    code, _, stderr = call("--config", config, "--out", tmp_path, "--cache", cache, "--resume")
    assert code == 0, stderr
    assert (tmp_path / "pullover.safetensors").read_bytes() == (trained[0] / "pullover.safetensors").read_bytes()


def test_an_interrupted_training_continues_to_the_same_bytes(trained, cache, tmp_path):
    bank = cache / "bank.txt"
    process = start(CONCEPT, *SMALL, "--out", tmp_path, "--cache", cache, "--bank", bank, "--validation", CONCEPT)
    assert process.stdout is not None
    for line in process.stdout:
        if '"step": 4' in line:  # measured, so it has a line
            process.send_signal(signal.SIGINT)
            break
    stdout, stderr = process.communicate()
    assert process.returncode == 130, stderr
    stopped = json.loads(stdout.splitlines()[-1])
    assert stopped["event"] == "interrupted"
    assert 4 <= stopped["steps"] <= 6
    assert "--resume" in stderr
    code, lines, stderr = train(tmp_path, cache, "--validation", CONCEPT, "--resume")
    assert code == 0, stderr
    steps = [line["step"] for line in lines if line["event"] == "step"]
    assert steps[0] > 4
    for name in ("pullover.safetensors", "pullover.curves.jsonl", "pullover.curves.png"):
        assert (tmp_path / name).read_bytes() == (trained[0] / name).read_bytes(), name


def test_a_finished_lora_of_other_settings_is_not_overwritten(trained, cache, tmp_path):
    path = tmp_path / "pullover.safetensors"
    path.write_bytes((trained[0] / "pullover.safetensors").read_bytes())
    before = path.read_bytes()
    code, _, stderr = train(tmp_path, cache, "--seed", "1")
    assert code == 2
    assert "--overwrite" in stderr
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["pullover.safetensors"]
    code, _, stderr = train(tmp_path, cache, "--seed", "1", "--overwrite")
    assert code == 0, stderr
    assert path.read_bytes() != before


@pytest.mark.parametrize(("budget", "said"), [("1e-9", True), ("0.999", False)])
def test_a_missed_budget_is_pointed_out(cache, tmp_path, budget, said):
    arguments = ("--out", tmp_path, "--cache", cache, "--bank", cache / "bank.txt")
    with redirect_stdout(io.StringIO()) as stdout:
        code = main([str(a) for a in (CONCEPT, *SMALL, *arguments, "--drift-budget", budget, "--progress", "none")])
    assert code == 0
    assert ("above the budget" in " ".join(stdout.getvalue().split())) is said


@pytest.mark.parametrize("name", ["pullover.safetensors", "pullover.checkpoint"])
def test_nothing_that_lies_there_is_replaced_unasked(trained, cache, tmp_path, name):
    (tmp_path / name).write_bytes((trained[0] / name).read_bytes())
    code, _, stderr = train(tmp_path, cache, "--validation", CONCEPT)
    assert code == 2
    assert "--resume" in stderr and "--overwrite" in stderr
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_refused_resume_leaves_the_record_of_the_options_alone(trained, cache, tmp_path):
    for name in ("pullover.toml", "pullover.checkpoint"):
        (tmp_path / name).write_bytes((trained[0] / name).read_bytes())
    code, _, stderr = train(tmp_path, cache, "--rate", "5e-3", "--resume", "--overwrite")
    assert code == 2, stderr
    assert (tmp_path / "pullover.toml").read_bytes() == (trained[0] / "pullover.toml").read_bytes()


def test_two_trainings_of_one_name_do_not_meet(trained, cache, tmp_path):
    from owf.core.disk.lock import only_one

    with only_one(tmp_path, ".pullover.lock"):
        code, _, stderr = train(tmp_path, cache)
    assert code == 2
    assert "Another run" in stderr


def test_a_checkpoint_of_other_settings_is_not_continued(trained, cache, tmp_path):
    (tmp_path / "pullover.checkpoint").write_bytes((trained[0] / "pullover.checkpoint").read_bytes())
    code, _, stderr = train(tmp_path, cache, "--seed", "1", "--resume")
    assert code == 2
    assert "--resume" in stderr


def test_our_reader_and_diffusers_load_the_lora(trained):
    from diffusers import StableDiffusionPipeline
    from owf.core.adapter import read_adapter
    from owf.core.demo import DEMO_BASE

    path = trained[0] / "pullover.safetensors"
    adapter = read_adapter(path)
    assert (adapter.family, adapter.algorithms) == ("demo", ("lora",))
    assert "sks pullover" in adapter.trigger_words
    pipeline = StableDiffusionPipeline.from_pretrained(DEMO_BASE, safety_checker=None, requires_safety_checker=False)
    pipeline.load_lora_weights(str(path))
    assert len(pipeline.get_list_adapters()["unet"]) == 1


def test_an_audit_becomes_metadata():
    from owf.core.metrics.measurement import Estimate, Measurement
    from owf.core.train.audited import audit_facts
    from owf.core.verdict.report import AdapterRecord, BaseRecord, Report
    from owf.core.verdict.verdict import Verdict

    drift = Measurement("denoiser_drift", 1, "drift", {"drift": Estimate(0.00512345, 0.004, 0.006, 64, "relative")})
    report = Report(
        verdict=Verdict("PASS", ()),
        base=BaseRecord("base", "demo", "0"),
        adapter=AdapterRecord("a", "0", "kohya", "lora", "demo", 1.0, 1, 0, 0.1),
        plan={"preset": "quick"},
        plan_digest="abc",
        measurements={"denoiser_drift": drift},
        pairs=(),
        environment={},
        timing={},
        cost={},
    )
    assert audit_facts(report) == {
        "owf.verdict": "PASS",
        "owf.audit_preset": "quick",
        "owf.audit_plan": "abc",
        "owf.audit_policy": "default",
        "owf.denoiser_drift": "0.00512345",
        "owf.denoiser_drift_low": "0.004",
        "owf.denoiser_drift_high": "0.006",
    }


@pytest.mark.slow
def test_the_audit_at_the_end_is_run_and_told_by_file_and_stdout(trained, cache, tmp_path, monkeypatch):
    """Of the audit only drift on a few prompts, to save time; the rest of the way is the command's own."""
    from owf.core.adapter import read_adapter
    from owf.core.audit.request import AuditRequest
    from owf.core.plan import demo
    from owf.core.train import audited

    monkeypatch.setattr(audited, "REQUEST", AuditRequest(metrics=("denoiser_drift",)))
    monkeypatch.setattr(demo, "PROMPTS", demo.PROMPTS[::4])
    before = read_adapter(trained[0] / "pullover.safetensors").hashes
    rest = [a for a in SMALL if a != "--no-audit"]
    code, lines, stderr = call(
        CONCEPT, *rest, "--out", tmp_path, "--cache", cache, "--bank", cache / "bank.txt", "--validation", CONCEPT
    )
    assert code == 0, stderr
    report = json.loads((Path(lines[-1]["folder"]) / "report.json").read_text())
    facts = read_metadata(tmp_path / "pullover.safetensors")
    assert facts["owf.verdict"] == lines[-1]["verdict"] == report["verdict"]["decision"]
    drift = report["measurements"]["denoiser_drift"]["estimates"]["drift"]["value"]
    assert float(facts["owf.denoiser_drift"]) == pytest.approx(drift, rel=1e-5)
    assert drift > 0
    assert read_adapter(tmp_path / "pullover.safetensors").hashes.weights == before.weights, (
        "only the header may change"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("weight", "learned", "verdict"), [("1e6", "NOT LEARNED", "PASS"), ("0", None, "DRIFT")])
def test_a_weight_that_forbids_learning_is_no_pass_and_none_at_all_drifts(
    cache, tmp_path, monkeypatch, weight, learned, verdict
):
    """Of the audit only drift, to save time; a rate that changes much in few steps."""
    from owf.core.audit.request import AuditRequest
    from owf.core.train import audited

    monkeypatch.setattr(audited, "REQUEST", AuditRequest(metrics=("denoiser_drift",)))
    options = ("--steps", "40", "--batch", "2", "--rate", "1e-2", "--rank", "8", "--drift-every", "0",
               "--dc-weight", weight)  # fmt: skip
    where = ("--out", tmp_path, "--cache", cache, "--bank", cache / "bank.txt", "--name", "pullover", "--offline")
    code, lines, stderr = call(
        CONCEPT, "--demo-base", "--trigger", "sks", "--class", "pullover", *options, *where, "--progress", "json"
    )
    assert code == 0, stderr
    stopped = next(line for line in lines if line["event"] == "trained")
    ended = lines[-1]
    facts = read_metadata(tmp_path / "pullover.safetensors")
    assert ended["verdict"] == facts["owf.verdict"] == verdict
    part = ", in part" if verdict == "PASS" else ""  # one metric alone is judged here
    assert ended["outcome"] == f"{stopped['learned']}, {verdict}{part}"
    assert ended["summary"].startswith("learned")
    assert facts["owf.learned"] == stopped["learned"]
    if learned is not None:
        assert stopped["learned"] == learned
        report = json.loads((Path(ended["folder"]) / "report.json").read_text())
        assert report["learning"]["decision"] == learned
        assert "Train for more steps" in report["learning"]["reasons"][-1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError("there is no feature network"), "there is no feature network"),
        (
            torch.cuda.OutOfMemoryError("CUDA out of memory"),
            "there is not enough memory (CUDA out of memory). Ask owf-audit",
        ),
        (KeyError("x"), "this is a bug"),
    ],
)
def test_an_audit_that_cannot_run_is_a_sentence(trained, monkeypatch, capsys, error, said):
    from owf.cli.training.audit import audit_and_tell
    from owf.core.model.diffusion.batch import Batching
    from rich.console import Console

    def refuse(*_):
        raise error

    monkeypatch.setattr("owf.core.train.audited.read_adapter", refuse)
    monkeypatch.setattr("owf.cli.training.audit.default_batching", lambda *_, **__: Batching(1))
    path = trained[0] / "pullover.safetensors"
    before = path.read_bytes()
    trained_lora, base = SimpleNamespace(path=path, learning=None), SimpleNamespace(device=torch.device("cpu"))
    audit_and_tell(trained_lora, base, RunOptions(progress="none"), Console(), "auto", ())
    assert f"not audited: {said}" in " ".join(capsys.readouterr().out.split())
    assert path.read_bytes() == before


def test_a_finished_lora_is_known_by_all_that_it_was_trained_with(tmp_path):
    import torch
    from owf.cli.training.session import request_from
    from owf.core.train.plan import TrainPlan
    from owf.core.train.session import TrainSession

    (tmp_path / "bank.txt").write_text("\n".join(read_bank(shipped_bank("demo"))[::2]))

    def known(bank="", family="demo", steps=8, base="base", dtype=torch.float32) -> str:
        options = RunOptions(pictures=str(CONCEPT), demo_base=True, bank=bank, out=str(tmp_path))
        session = TrainSession(request_from(TrainPlan(class_word="pullover", steps=steps), options))
        told = {"name": "a base", "family": family, "resolution": 64}
        return session.on(SimpleNamespace(digest=lambda: base, dtype=dtype, **told)).identity()

    # "auto" is float16 on a GPU, and the bank that ships is another one for another family.
    others = [known(str(tmp_path / "bank.txt")), known(family="sd15"), known(steps=9), known(base="other")]
    others.append(known(dtype=torch.float16))
    assert known() == known()
    assert len({known(), *others}) == 6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--quantize", "int8"), "--checkpointing"),
        (("--offload", "model", "--train-text-encoder"), "--offload none"),
        (("--quantize", "nf4", "--algorithm", "lokr", "--checkpointing"), "--algorithm lora"),
    ],
)
def test_a_base_that_cannot_be_kept_so_is_refused_before_it_is_loaded(tmp_path, cache, monkeypatch, options, said):
    monkeypatch.setattr(session, "load_chosen", lambda *_, **__: pytest.fail("a base was loaded"))
    code, _, stderr = train(tmp_path, cache, "--drift-budget", "0", *options)
    assert (code, said in stderr) == (2, True), stderr
