"""The options of `owf-train`: flags, TOML files, and what is said to wrong ones. No torch."""

import dataclasses
from pathlib import Path

import pytest
from imports import output_and_imports
from owf.cli.output.wording import flag
from owf.cli.train import main
from owf.cli.training.arguments import parser
from owf.cli.training.config import effective, read_config, write_config
from owf.cli.training.options import RunOptions
from owf.core.errors import UsageError
from owf.core.train.plan import TrainPlan

ROOT = Path(__file__).resolve().parents[3]
CONCEPT = ROOT / "demo" / "concept"
RUN_TRAIN = ROOT / "tests" / "support" / "run_train.py"


def given(*arguments: str) -> tuple[TrainPlan, RunOptions]:
    return effective(vars(parser().parse_args(arguments)))


def test_help_imports_little():
    out, names = output_and_imports(RUN_TRAIN, "--help")
    assert "--drift-budget" in out
    assert not names & {"torch", "scipy", "PIL", "rich", "jinja2", "diffusers", "transformers", "safetensors"}
    assert len(names) < 300  # about 240, some of them numpy's: a quarter of a second


def test_every_option_is_in_the_help():
    text = parser().format_help()
    for record in (TrainPlan, RunOptions):
        for field in dataclasses.fields(record):
            if "help" in field.metadata:
                words = " ".join(text.split())
                assert " ".join(field.metadata["help"].split()) in words, field.name


@pytest.mark.parametrize("record", [TrainPlan, RunOptions])
def test_every_option_is_in_the_documentation(record):
    text = (ROOT / "docs" / "training.md").read_text()
    missing = {flag(f.name) for f in dataclasses.fields(record) if "help" in f.metadata and flag(f.name) not in text}
    assert missing <= {"--pictures", "--audit"}


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
        ("drift-budgett = 1", "did you mean 'drift-budget'?\n"),
        ("class_word = 'dog'", "'class'"),
        ("zzz = 1", "owf-train --help lists the keys.\n"),
        ("steps = 1.5", "a whole number"),
        ("steps = true", "a whole number"),
        ("flip = 1", "true or false"),
        ("trigger = 3", "a text"),
        ("preserve = [1]", "a list of texts"),
        ("[plan]\nsteps = 3", "unknown key 'plan'"),
        ("rate-schedule = 'linear'\nrate_schedule = 'cosine'", "twice"),
        ("steps = ", "TOML"),
        pytest.param("a = " + "[" * 200_000, "TOML", id="deep"),
        pytest.param("steps = " + "9" * 5000, "TOML", id="long"),
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
        (["photos", "--base", "x", "--demo-base"], "Both --base and --demo-base are given: leave one out."),
        ([str(CONCEPT), "--demo-base", "--class", "pullover", "--validation", "/no/such/photos"], "(--validation)"),
        (["/no/such/photos", "--demo-base", "--class", "dog"], "no such folder"),
        ([str(CONCEPT), "--demo-base"], "--class"),
        ([str(CONCEPT), "--base", "/no/such/base", "--class", "pullover"], "no such file"),
        ([str(CONCEPT), "--demo-base", "--class", "pullover", "--bank", "/no/bank"], "(--bank)"),
        (["photos", "--steps", "0"], "--steps"),
        (["photos", "--preserve", "dcc"], "--preserve"),
        (["photos", "--config", "/no/such.toml"], "(--config)"),
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
    assert "argument --steps: must be a whole number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "file"), [("../../etc/x", "etc_x"), ("a b", "a_b"), ("", "sks_dog"), ("\x1b[31m", "31m"), ("日本", "日本")]
)
def test_names_become_harmless(name, file):
    assert RunOptions(name=name).file_name("sks dog") == file


def test_usage_errors_of_the_records_name_their_flags():
    with pytest.raises(UsageError, match="--progress"):
        RunOptions(progress="loud")


@pytest.mark.parametrize(
    ("file", "flags", "control", "weight"),
    [
        ("", (), "auto", 8),
        ("", ("--dc-weight", "8"), "fixed", 8),
        ("", ("--dc-weight", "0"), "fixed", 0),
        ("", ("--dc-weight", "3", "--dc-control", "auto"), "auto", 3),
        ("dc-weight = 2.0", (), "fixed", 2),  # a file from before there was a choice
        ('dc-weight = 8.0\ndc-control = "auto"', (), "auto", 8),  # as it is written
        ('dc-weight = 8.0\ndc-control = "auto"', ("--dc-weight", "3"), "fixed", 3),
    ],
)
def test_a_weight_that_is_given_is_fixed(tmp_path, file, flags, control, weight):
    saved, path = tmp_path / "saved.toml", config(tmp_path, file + "\n")
    assert main(["x", "--demo-base", "--config", str(path), *flags, "--save-config", str(saved)]) == 0
    plan, _ = effective(read_config(saved))
    assert (plan.dc_control, plan.weight("dc")) == (control, weight)
    assert plan.sets_weight is (control == "auto")


def test_a_preset_leaves_what_is_given_and_stays_open_in_a_file(tmp_path):
    saved = tmp_path / "saved.toml"
    assert main(["x", "--demo-base", "--preset", "quick", "--rate", "5e-4", "--save-config", str(saved)]) == 0
    values = read_config(saved)
    assert (values["preset"], values["rate"]) == ("quick", 5e-4)
    assert not {"steps", "batch", "accumulate", "bank_prompts", "rate_schedule", "targets"} & set(values)
    assert main(["x", "--demo-base", "--preset", "slow"]) == 2
