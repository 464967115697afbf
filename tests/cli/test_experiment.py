"""`owf-experiment`: what is refused at once, and what a dry run says without loading anything."""

import pytest
from owf.cli import experiment
from owf.cli import session as session_module
from owf.cli.dry_run.training import ways
from owf.core import families
from owf.core.model import base
from owf.core.model.memory import Keeping
from owf.core.train.forecast.memory import Way
from torch_that_trains import torch_that_trains

__all__ = ["torch_that_trains"]


@pytest.fixture
def said(monkeypatch, tmp_path, capsys):
    """Return a function that runs the command without a base to load, and returns its code and its words."""
    refuse = lambda *_, **__: pytest.fail("a base was loaded")  # noqa: E731
    monkeypatch.setattr(base, "load_base", refuse)
    monkeypatch.setattr(session_module, "load_base", refuse)

    def run(*arguments):
        places = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), "--device", "cpu"]
        code = experiment.main([*map(str, arguments), *places])
        found = capsys.readouterr()
        return code, found.out + found.err

    return run


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["table1"], "Name the base model (--base, --demo-base)"),
        (["table1", "--demo-base", "--base", "x"], "leave one out"),
        (["table1", "--demo-base", "--ratings", "a.json"], "asks nobody (--ratings)"),
        (["table1", "--reports", "a"], "asks nobody (--reports)"),
        (["human", "--reports", "/no/such/folder"], "no report with pictures"),
        (["table1", "--demo-base", "--dry-run", "--only", "ZZ"], "no row 'ZZ'"),
        (["sequence", "--demo-base", "--dry-run"], "at least 2 concepts"),
        (["table1", "--demo-base", "--dry-run", "--concepts", "/no/such/folder"], "no such folder (--concepts)"),
        (["first3", "--demo-base", "--dry-run", "--quantize", "int8"], "(--checkpointing, --quantize nf4)"),
        (
            ["table1", "--demo-base", "--dry-run", "--offload", "model"],
            "Custom Diffusion trains the base's own weights",
        ),
        (["table1", "--demo-base", "--offload", "model"], "Custom Diffusion trains the base's own weights"),
        (["weightless", "--demo-base", "--dry-run", "--offload", "model"], "--offload none, --only"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_loaded(said, arguments, part):
    code, text = said(*arguments)
    assert code == 2 and part in text


def test_an_unknown_experiment_is_a_usage_error(said):
    with pytest.raises(SystemExit) as ended:
        said("table9", "--demo-base")
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("name", "trainings", "audits"), [("table1", 6, 6), ("first3", 2, 2), ("frontier", 45, 48), ("predict", 60, 60)]
)
def test_a_dry_run_counts_trainings_rows_time_and_memory(said, tmp_path, name, trainings, audits):
    code, text = said(name, "--demo-base", "--dry-run")
    assert code == 0 and not (tmp_path / "out").exists()
    assert f"Trains {trainings} LoRAs of 1 concept" in text and f"Audits {audits} changes" in text
    for part in (
        "rows with gradients",
        "of the base, once",
        "All in all",
        "rows with gradients at once",
        "This machine (cpu, float32), as loaded:",
        ", with checkpointing ",
        "Card of 8 GB (RTX 4060, float16), as loaded:",
        "Card of 24 GB",
        "Nothing was loaded.",
    ):
        assert part in text, part


def test_a_dry_run_counts_the_training_as_the_options_let_it_run(said):
    _, plain = said("first3", "--demo-base", "--dry-run")
    code, text = said("first3", "--demo-base", "--dry-run", "--checkpointing", "--offload", "model")
    assert code == 0 and text.count("checkpointing, offload model: ") == 4
    assert ", without checkpointing " in text and ", without checkpointing " not in plain


def test_the_protocol_is_written_into_a_page_without_a_base(said, tmp_path):
    code, text = said("protocol", "--page", tmp_path / "page.md")
    assert code == 0 and "20.5 million" in text
    assert "20,511,650" in (tmp_path / "page.md").read_text()


def test_a_dry_run_of_the_paper_says_the_evaluations_of_its_sets(said, tmp_path):
    from published import write

    write("cifar10", tmp_path / "data", each=1)
    what = ["--dry-run", "--preset", "paper", "--dataset", "cifar10", "--images", tmp_path / "data"]
    base_id = families.get("sd15").hub_id
    code, text = said("table1", "--base", base_id, *what, "--concepts", concept(tmp_path))
    assert code == 0 and "1,375,000 UNet evaluations" in text and "1.25 thousand million" in text


def concept(tmp_path):
    from PIL import Image

    (tmp_path / "concepts" / "dog").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(tmp_path / "concepts" / "dog" / "a.png")
    return tmp_path / "concepts"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (
            Way(Keeping(), False),
            ["none", "none C", "model C", *(f"{o} {q} C" for q in ("int8", "nf4") for o in ("none", "model"))],
        ),
        (Way(Keeping("model"), True), ["model C", "model int8 C", "model nf4 C"]),
        (Way(Keeping(quantize="nf4"), False), ["none nf4", "none nf4 C", "model nf4 C"]),
    ],
)
def test_ways_of_training_go_from_what_was_asked_to_the_leanest(asked, found):
    named = [
        " ".join(
            filter(None, (k.offload, "" if k.quantize == "none" else k.quantize, "C" if way.checkpointing else ""))
        )
        for way in ways(asked)
        for k in (way.keeping,)
    ]
    assert named == found
