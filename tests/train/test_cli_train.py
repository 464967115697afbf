"""`owf-train` from outside: options, TOML files, exit codes, interrupts, and what its LoRA is to other programs."""

import dataclasses
import io
import json
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from owf.cli.train import main
from owf.cli.train_arguments import parser
from owf.cli.train_config import effective, read_config, write_config
from owf.cli.train_options import RunOptions
from owf.core.errors import UsageError
from owf.core.train.bank import DEMO, read_bank
from owf.core.train.metadata import read_metadata
from owf.core.train.plan import TrainPlan

ROOT = Path(__file__).resolve().parent.parent.parent
CONCEPT = ROOT / "demo" / "concept"
WITH_OWF = f"import runpy; runpy.run_path({str(ROOT / 'tests' / 'conftest.py')!r})\n"
RUN = WITH_OWF + "import sys; from owf.cli.train import main; sys.exit(main(sys.argv[1:]))"
LOADED = WITH_OWF + (
    "import sys; from owf.cli.train import main\n"
    "try: main(sys.argv[1:])\n"
    "except SystemExit: pass\n"
    "print([m for m in ('torch', 'numpy', 'rich') if m in sys.modules])"
)


def start(*arguments: object, code: str = RUN) -> subprocess.Popen:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def given(*arguments: str) -> tuple[TrainPlan, RunOptions]:
    return effective(vars(parser().parse_args(arguments)))


def test_help_answers_in_half_a_second_without_torch():
    assert min(_help_seconds() for _ in range(3)) < 0.5
    assert start("--help", code=LOADED).communicate()[0].splitlines()[-1] == "[]"


def _help_seconds() -> float:
    """Return the processor time of --help, which does not depend on what else the machine does."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "--drift-budget" in start("--help").communicate()[0]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_every_option_is_in_the_help():
    text = parser().format_help()
    for record in (TrainPlan, RunOptions):
        for field in dataclasses.fields(record):
            if "help" in field.metadata:
                words = " ".join(text.split())
                assert " ".join(field.metadata["help"].split()) in words, field.name


def test_nothing_given_is_the_default():
    assert given() == (TrainPlan(), RunOptions())


def test_flags_set_the_fields_they_are_named_after():
    plan, options = given(
        "photos", "--class", "dog", "--steps", "7", "--rate", "1e-3", "--flip", "--no-checkpointing",
        "--preserve", "class,l2", "--no-audit", "--demo-base", "--out", "x",
    )  # fmt: skip
    wanted = TrainPlan(class_word="dog", steps=7, rate=1e-3, flip=True, preserve=("class", "l2"))
    assert plan == wanted
    assert options == RunOptions(pictures="photos", audit=False, demo_base=True, out="x")
    assert given("--preserve", "none")[0].preserve == ()


def test_a_written_config_reads_back_as_the_same_options(tmp_path):
    plan = TrainPlan(
        trigger='s"k\\s\x7f é\n', class_word="dog", rate=1e-5, preserve=(), flip=True, drift_every=0, noise_offset=0.1
    )
    options = RunOptions(pictures="photos 🐕", audit=False, save_every=1.0)
    write_config(tmp_path / "train.toml", plan, options)
    assert effective(read_config(tmp_path / "train.toml")) == (plan, options)


def config(tmp_path, text):
    path = tmp_path / "train.toml"
    path.write_text(text)
    return path


def test_keys_may_have_dashes_or_underscores(tmp_path):
    path = config(tmp_path, 'class = "dog"\ndrift_budget = 0.005\ndrift-every = 10\nrate = 1\npreserve = "dc,l2"\n')
    plan, _ = effective(read_config(path))
    assert plan == TrainPlan(class_word="dog", drift_budget=0.005, drift_every=10, rate=1.0, preserve=("dc", "l2"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("drift-budgett = 1", "'drift-budget'"),
        ("class_word = 'dog'", "'class'"),
        ("zzz = 1", "--help"),
        ("steps = 1.5", "a whole number"),
        ("steps = true", "a whole number"),
        ("flip = 1", "true or false"),
        ("trigger = 3", "a text"),
        ("preserve = [1]", "a list"),
        ("[plan]\nsteps = 3", "unknown key 'plan'"),
        ("rate-schedule = 'linear'\nrate_schedule = 'cosine'", "twice"),
        ("steps = ", "TOML"),
        ("device = 'tpu'", "--device"),
        ("save-every = -1", "--save-every"),
        ("resume = true", "unknown key 'resume'"),
    ],
)
def test_wrong_files_say_what_is_wrong(tmp_path, text, words, capsys):
    assert main(["photos", "--config", str(config(tmp_path, text))]) == 2
    assert words in capsys.readouterr().err


def test_flags_override_the_file_and_a_base_replaces_its_base(tmp_path):
    path = config(tmp_path, 'pictures = "a"\nbase = "x/y"\nsteps = 5\nrank = 4\n')
    saved = tmp_path / "saved.toml"
    assert main(["b", "--config", str(path), "--steps", "6", "--demo-base", "--save-config", str(saved)]) == 0
    plan, options = effective(read_config(saved))
    assert plan == TrainPlan(steps=6, rank=4)
    assert options == RunOptions(pictures="b", demo_base=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "training pictures"),
        (["photos"], "--base"),
        (["photos", "--base", "x", "--demo-base"], "--base"),
        (["/no/such/photos", "--demo-base", "--class", "dog"], "no such folder"),
        ([str(CONCEPT), "--demo-base"], "--class"),
        ([str(CONCEPT), "--base", "/no/such/base", "--class", "bag"], "no such file"),
        ([str(CONCEPT), "--demo-base", "--class", "bag", "--bank", "/no/bank"], "--bank"),
        (["photos", "--steps", "0"], "--steps"),
        (["photos", "--preserve", "dcc"], "--preserve"),
        (["photos", "--config", "/no/such.toml"], "such.toml"),
    ],
)
def test_wrong_use_says_what_to_change(arguments, words, tmp_path, capsys):
    assert main([*arguments, "--out", str(tmp_path / "out"), "--progress", "none"]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists() or "--bank" in arguments


def test_what_is_no_number_is_refused_by_its_flag(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["photos", "--steps", "many"])
    assert stopped.value.code == 2
    assert "--steps" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "file"), [("../../etc/x", "etc_x"), ("a b", "a_b"), ("", "sks_dog"), ("\x1b[31m", "31m"), ("日本", "lora")]
)
def test_names_become_harmless(name, file):
    assert RunOptions(name=name).file_name("sks dog") == file


SMALL = ("--demo-base", "--trigger", "sks", "--class", "bag", "--steps", "8", "--batch", "2", "--rate", "1e-3",
         "--drift-every", "4", "--drift-budget", "0.001", "--name", "bag", "--no-audit",
         "--offline", "--progress", "json")  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Return a folder for the base's drawings, with a small bank in it."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "bank.txt").write_text("\n".join(read_bank(DEMO)[::20]))
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
    files = {"bag.safetensors", "bag.checkpoint", "bag.toml", "bag.curves.jsonl", "bag.curves.png"}
    assert {p.name for p in out.iterdir()} - {"bag.tensorboard"} == files
    assert lines[-1]["event"] == "trained"
    assert Path(lines[-1]["path"]) == out / "bag.safetensors"


def test_every_measurement_has_a_line(trained):
    steps = [line for line in trained[1] if line["event"] == "step"]
    measured = {line["step"]: line for line in steps if line["drift"] is not None}
    assert set(measured) == {4, 8}
    assert all(line["drift"] > 0 and line["validation"] > 0 for line in measured.values())
    assert set(steps[-1]["weights"]) == set(steps[-1]["terms"]) == {"dc"}


def test_the_file_says_how_it_was_trained(trained):
    facts = read_metadata(trained[0] / "bag.safetensors")
    assert json.loads(facts["owf.plan"])["class_word"] == "bag"
    assert facts["ss_steps"] == "8"
    assert len(facts["owf.run"]) == 64
    assert str(trained[0]) not in json.dumps(facts)


def test_the_written_options_train_the_same_bytes(trained, cache, tmp_path):
    config = trained[0] / "bag.toml"
    code, _, stderr = call("--config", config, "--out", tmp_path, "--cache", cache, "--resume")
    assert code == 0, stderr
    assert (tmp_path / "bag.safetensors").read_bytes() == (trained[0] / "bag.safetensors").read_bytes()


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
    for name in ("bag.safetensors", "bag.curves.jsonl", "bag.curves.png"):
        assert (tmp_path / name).read_bytes() == (trained[0] / name).read_bytes(), name


def test_a_finished_lora_of_other_settings_is_not_overwritten(trained, cache, tmp_path):
    path = tmp_path / "bag.safetensors"
    path.write_bytes((trained[0] / "bag.safetensors").read_bytes())
    before = path.read_bytes()
    code, _, stderr = train(tmp_path, cache, "--seed", "1")
    assert code == 2
    assert "--overwrite" in stderr
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["bag.safetensors"]
    code, _, stderr = train(tmp_path, cache, "--seed", "1", "--overwrite")
    assert code == 0, stderr
    assert path.read_bytes() != before


def test_a_checkpoint_of_other_settings_is_not_continued(trained, cache, tmp_path):
    (tmp_path / "bag.checkpoint").write_bytes((trained[0] / "bag.checkpoint").read_bytes())
    code, _, stderr = train(tmp_path, cache, "--seed", "1", "--resume")
    assert code == 2
    assert "--resume" in stderr


def test_our_reader_and_diffusers_load_the_lora(trained):
    from diffusers import StableDiffusionPipeline
    from owf.core.adapter import read_adapter
    from owf.core.base import DEMO_BASE

    path = trained[0] / "bag.safetensors"
    adapter = read_adapter(path)
    assert (adapter.family, adapter.algorithms) == ("demo", ("lora",))
    assert "sks bag" in adapter.trigger_words
    pipeline = StableDiffusionPipeline.from_pretrained(DEMO_BASE, safety_checker=None, requires_safety_checker=False)
    pipeline.load_lora_weights(str(path))
    assert len(pipeline.get_list_adapters()["unet"]) == 1


def test_an_audit_becomes_metadata():
    from owf.cli.train_audit import audit_facts
    from owf.core.measurement import Estimate, Measurement
    from owf.core.report import AdapterRecord, BaseRecord, Report
    from owf.core.verdict import Verdict

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


def test_usage_errors_of_the_records_name_their_flags():
    with pytest.raises(UsageError, match="--progress"):
        RunOptions(progress="loud")
