"""`owf-experiment`: what is refused at once, and what a dry run says without loading anything."""

import pytest
from owf.cli import experiment
from owf.cli import session as session_module
from owf.core import families
from owf.core.model import base


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
    for part in ("rows with gradients", "of the base, once", "hours here (cpu)", "Memory:", "Nothing was loaded."):
        assert part in text, part


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
