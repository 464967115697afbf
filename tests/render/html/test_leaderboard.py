"""The leaderboard and the other files over a run: every row is there, and no text of a stranger does anything."""

import csv
import dataclasses
import html
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
import report_samples as samples
from owf.core.ledger.row import Number, Row, numbers, worst
from owf.core.render.formats.format import all_formats, publish_run
from owf.core.render.html.overview.leaderboard import leaderboard, render_leaderboard


def row(name="a.safetensors", report=None, **changes):
    report = samples.report() if report is None else report
    made = Row(
        name, name, f"of {name}", 1.0, "", "ask", "complete", report.verdict.decision, report.verdict.reasons[0],
        family="sd15", base="base", plan_digest="plan", folder="a-quick", numbers=numbers(report),
        worst=worst(report.measurements),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def number(value, **changes):
    made = Number("color", "cdi", value, value - 1, value + 1, 9, "delta_e", 1.0, 5.0, "DRIFT")
    return dataclasses.replace(made, **changes)


def data(page):
    (found,) = re.findall(r'id="data">(.*?)</script>', page)
    return json.loads(found)["rows"]


def test_rows_stand_worst_first_with_what_was_lost_and_a_link():
    good = row("good", verdict="PASS", numbers=(number(1.0, decision="PASS"),))
    far, near = row("far", numbers=(number(50.0),)), row("near", numbers=(number(6.0),))
    lines = data(render_leaderboard([good, near, far, row("bad", verdict="INVALID", numbers=(), folder="", worst={})]))
    assert [line[0] for line in lines] == ["far", "near", "bad", "good"]
    assert lines[0][1] == "a-quick/report.html" and lines[2][1] == ""
    assert lines[0][5].startswith("dress 62.0")
    assert lines[0][7] == [[50.0, "50", "49 to 51", "DRIFT", 100]]


def test_percentiles_compare_rows_of_one_family_and_plan():
    values = [3.0, 1.0, 2.0, 2.0, 4.0]
    same = [row(str(i), numbers=(number(v),)) for i, v in enumerate(values)]
    others = [row("x", numbers=(number(9.0),), family="sdxl"), row("y", numbers=(number(9.0),), plan_digest="other")]
    places = {line[0]: line[7][0][4] for line in data(render_leaderboard([*same, *others]))}
    # The share of the four others that are lower: 3 of 4 below 3.0, none below 1.0, one below both that are 2.0.
    assert places == {"0": 75, "1": 0, "2": 25, "3": 25, "4": 100, "x": None, "y": None}


def test_percentiles_compare_what_was_applied_alike_and_copies_once():
    values = {("a", 1.0): 4.0, ("b", 1.0): 5.0, ("a", 0.5): 1.0, ("b", 0.5): 3.0, ("c", 0.5): 2.0}
    rows = [row(name, strength=s, numbers=(number(value),)) for (name, s), value in values.items()]
    rows += [row("copy", sha256="of a", numbers=(number(4.0),)), row("d", stack="9f@1", numbers=(number(9.0),))]
    places = {line[0]: line[7][0][4] for line in data(render_leaderboard(rows))}
    assert places == {
        "a": 0, "b": 100, "copy": 0, "a @ 0.5": 0, "b @ 0.5": 100, "c @ 0.5": 50, "d + 9f@1": None,
    }  # fmt: skip


def test_percentiles_of_a_change_that_goes_either_way_are_of_its_size():
    rows = [
        row(
            name,
            numbers=(
                Number("color_shift", "lightness_shift", value, value - 1, value + 1, 9, "L*", 1.0, 5.0, "DRIFT"),
            ),
        )
        for name, value in (("darker", -9.0), ("lighter", 6.0), ("same", 0.5))
    ]
    assert {line[0]: line[7][0][4] for line in data(render_leaderboard(rows))} == {
        "darker": 100, "lighter": 50, "same": 0,
    }  # fmt: skip


def test_no_text_of_a_stranger_leaves_its_place():
    bad = " ".join(samples.HOSTILE)
    page = render_leaderboard(
        [
            row(
                bad,
                samples.hostile_report(),
                family=bad,
                base=bad,
                folder=bad,
                reason=bad,
                algorithm=bad,
                worst={bad: 1.0},
            )
        ]
    )
    assert "<script>alert" not in page and "<img src=x" not in page
    assert page.count("<script") == 3
    assert all(char.isprintable() or char == "\n" for char in page)


@pytest.mark.parametrize("folder", ["/etc", "../elsewhere", "a/../../b"])
def test_links_stay_below_the_folder(folder):
    assert data(render_leaderboard([row(folder=folder)]))[0][1] == ""


def test_a_row_is_chosen_by_its_base_whatever_that_is_called():
    base = "two  spaces & " + "long " * 30
    page = render_leaderboard([row(base=base)])
    assert data(page)[0][4] in [html.unescape(value) for value in re.findall(r'<option value="(.*?)">', page)]


def test_numbers_that_are_none_leave_a_gap():
    made = row(numbers=(number(float("nan")), number(float("inf"), name="other")))
    ((cell, other),) = (line[7] for line in data(render_leaderboard([made])))
    assert cell is None and other[1] == "∞"
    assert leaderboard([]).title == "0 audits"


def test_every_format_over_a_run_has_every_row(tmp_path):
    rows = [
        row("a", samples.report()), row("b", strength=0.5, verdict="PASS", folder="b"),
        row("c", verdict="INVALID", status="timeout", reason="too <long>", numbers=(), worst={}, folder=""),
    ]  # fmt: skip
    publish_run(lambda: iter(rows), tmp_path, ("results", "jsonl", "junit"))
    table = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert [line["name"] for line in table] == ["a", "b", "c"]
    for n in rows[0].numbers:
        assert float(table[0][f"{n.metric}.{n.name}.value"]) == n.value
    assert table[2]["color.cdi.value"] == ""
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [len(line["numbers"]) for line in lines] == [len(rows[0].numbers), len(rows[1].numbers), 0]
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3", "failures": "1", "errors": "1", "skipped": "0",
    }  # fmt: skip
    assert [case.get("name") for case in suite] == ["a", "b @ 0.5", "c"]
    assert suite[2][0].get("message") == "too <long>"


def test_files_of_earlier_calls_say_what_the_rows_say_now(tmp_path):
    files = {format_.name: format_.run_file for format_ in all_formats() if format_.write_run and not format_.needs}
    rows = [row("a", strength=strength, verdict="PASS") for strength in (0.5, 1.0)]
    assert publish_run(lambda: iter(rows), tmp_path, files) == tuple(tmp_path / file for file in files.values())
    said = {file: (tmp_path / file).read_text() for file in files.values()}
    now = [dataclasses.replace(one, verdict="DRIFT") for one in rows]
    publish_run(lambda: iter(now), tmp_path, ())
    assert all((tmp_path / file).read_text() != text for file, text in said.items())


def test_hostile_rows_are_harmless_in_every_format(tmp_path):
    bad = " ".join(samples.HOSTILE)
    hostile = row(bad, samples.hostile_report(), reason=bad, base="=cmd|' /C calc'!A0", worst={bad: 1.0})
    publish_run(lambda: iter([hostile]), tmp_path, ("results", "jsonl", "junit", "leaderboard"))
    (line,) = csv.DictReader((tmp_path / "results.csv").read_text(encoding="utf-8").splitlines())
    assert line["base"].startswith("'=")
    ElementTree.parse(tmp_path / "junit.xml")


def test_no_style_of_another_page_hides_a_column():
    page = render_leaderboard([row()])
    columns = re.findall(r'class="(\w+)" role="columnheader"', page)
    assert columns == ["seen", "who", "verdict", *["number"] * columns.count("number"), "lost"]
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    hidden = [which for which, how in re.findall(r"([^{}]+)\{([^{}]*)\}", style) if "display: none" in how]
    assert hidden and not {f".{column}" for column in columns} & {each.strip() for h in hidden for each in h.split(",")}
