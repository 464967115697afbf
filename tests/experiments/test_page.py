"""A page has one block for each experiment; everything else in it is left as it is."""

import pytest
from owf.core.errors import UsageError
from owf.core.experiments.experiment import Findings, find_experiment
from owf.core.experiments.findings.figure import Figure, Series
from owf.core.experiments.page import fill_block, write_block

COMMAND = "some-command table1"


def write(page, *lines, block="table1", figure=None):
    write_block(page, COMMAND, block, find_experiment("table1"), Findings(lines, figure))


def test_a_block_is_made_and_then_replaced(tmp_path):
    page = tmp_path / "experiments.md"
    write(page, "| first |")
    made = page.read_text()
    assert made.count("## Table 1") == 1 and "| first |" in made
    page.write_text(made + "\nWritten by hand.\n")
    write(page, "| second |")
    text = page.read_text()
    assert text == made.replace("| first |", "| second |") + "\nWritten by hand.\n"
    write(page, "| second |")
    assert page.read_text() == text


def test_blocks_of_one_experiment_lie_side_by_side(tmp_path):
    page = tmp_path / "experiments.md"
    write(page, "| alpha |", block="table1-cifar10")
    write(page, "| beta |", block="table1-stl10")
    write(page, "| gamma |", block="table1-cifar10")
    text = page.read_text()
    assert "| alpha |" not in text and 0 < text.index("| gamma |") < text.index("| beta |")


def test_a_figure_lies_beside_the_page(tmp_path):
    figure = Figure("What is seen", "x", "y", (Series("a", ((1.0, 2.0),)),))
    write(tmp_path / "e.md", "text", figure=figure)
    assert (tmp_path / "experiment-table1.png").stat().st_size > 0
    assert "![What is seen](experiment-table1.png)" in (tmp_path / "e.md").read_text()
    write(tmp_path / "e.md", "text", figure=Figure("Nothing", "x", "y", (Series("a", ()),)))
    assert "![" not in (tmp_path / "e.md").read_text()


@pytest.mark.parametrize("broken", ["start only", "end only", "twice", "reversed"])
def test_marks_that_are_no_pair_are_refused_and_nothing_is_lost(tmp_path, broken):
    page = tmp_path / "e.md"
    start, end = f"<!-- table1: written by {COMMAND} -->", "<!-- end of table1 -->"
    text = {
        "start only": start,
        "end only": end,
        "twice": f"{start}{end}{start}{end}",
        "reversed": f"{end}{start}",
    }[broken]
    page.write_text(text)
    with pytest.raises(UsageError, match="not one block"):
        write(page, "new")
    assert page.read_text() == text


def test_only_a_block_that_is_there_can_be_filled(tmp_path):
    page = tmp_path / "e.md"
    page.write_text("# By hand\n")
    with pytest.raises(UsageError, match="no block"):
        fill_block(page, COMMAND, "table1", ["new"])
    assert page.read_text() == "# By hand\n"
