"""The table of prompts: what stands in it, that it is harmless, and that it sorts."""

import dataclasses
import json
import math
import subprocess
from pathlib import Path

import pytest
import report_samples as samples
from node import NODE
from owf.core.render import words
from owf.core.render.html.html import render_html
from owf.core.render.html.prompt_table import MOST, prompt_table
from owf.core.verdict.report import parse_report, to_json

SCRIPT = Path(__file__).parents[3] / "core" / "render" / "html" / "table_sort.js"


def with_prompts(texts=("a red bag", "a blue bag", "a green bag"), **numbers):
    report = samples.report()
    measured = {
        name: dataclasses.replace(m, prompts=numbers[name]) if name in numbers else m
        for name, m in report.measurements.items()
    }
    plan = {**report.plan, "prompts": [{"text": text, "group": "colours", "term": ""} for text in texts]}
    return dataclasses.replace(report, measurements=measured, plan=plan)


NUMBERS = {"color": {"cdi": (9.5, 30.25, 4.0)}, "denoiser_drift": {"drift": (0.01, 0.002, math.nan)}}


def test_each_prompt_has_its_numbers_in_the_order_of_the_metrics():
    table = prompt_table(with_prompts(**NUMBERS))
    assert table is not None
    assert table.headings == [("Denoiser drift", "%"), ("Colour drift", "ΔE")]
    assert [(line.prompt, line.group) for line in table.lines] == [
        ("a red bag", "colours"),
        ("a blue bag", "colours"),
        ("a green bag", "colours"),
    ]
    assert [[cell.order for cell in line.cells] for line in table.lines] == [
        ["0.01", "9.5"],
        ["0.002", "30.25"],
        ["", "4"],
    ]
    assert [line.cells[1].text for line in table.lines] == ["9.5", "30.2", "4.0"]
    assert table.lines[2].cells[0].text == words.MISSING


def test_reports_without_them_have_no_table_and_no_word_of_it(tmp_path):
    assert prompt_table(samples.report()) is None
    assert "Prompt by prompt" not in render_html(samples.report(), tmp_path)
    assert '"prompts": {' not in to_json(samples.report())


def test_they_survive_the_report():
    report = with_prompts(**NUMBERS)
    read = parse_report(to_json(report), "report.json")
    assert read.measurements["color"] == report.measurements["color"]
    drift = read.measurements["denoiser_drift"].prompts["drift"]
    assert drift[:2] == (0.01, 0.002) and math.isnan(drift[2])


@pytest.mark.parametrize("plan", [{}, {"prompts": "text"}, {"prompts": []}])
def test_a_plan_that_lists_no_prompts_gives_none(plan):
    assert prompt_table(dataclasses.replace(with_prompts(**NUMBERS), plan=plan)) is None


def test_what_strangers_write_is_cut_and_never_markup(tmp_path):
    many = tuple(f"<script>alert({i})</script>" for i in range(MOST + 5))
    report = with_prompts(many, color={"cdi": tuple(float(i) for i in range(MOST + 9))})
    table = prompt_table(report)
    assert table is not None and len(table.lines) == MOST
    page = render_html(report, tmp_path)
    assert "<script>alert" not in page
    odd = dataclasses.replace(report, plan={"prompts": [3, {"text": None}, {"text": "x", "group": ["y"]}]})
    assert [line.prompt for line in prompt_table(odd).lines] == ["", "None", "x"]


def test_headings_are_buttons_that_say_how_the_table_is_sorted(tmp_path):
    page = render_html(with_prompts(**NUMBERS), tmp_path)
    start = page.index('<table class="sortable prompts">')
    head = page[start : page.index("</thead>", start)]
    assert head.count('<button type="button">') == 4
    assert head.count('data-kind="text"') == 2
    assert "addEventListener" in page and "aria-sort" in page  # the script is inside


HARNESS = """
const fs = require("fs"), vm = require("vm");
const asked = JSON.parse(process.argv[2]);
const heads = asked.kinds.map((kind, cellIndex) => {
  const attributes = asked.before && asked.before[cellIndex] ? { "aria-sort": asked.before[cellIndex] } : {};
  return { cellIndex, dataset: kind, attributes,
    getAttribute: (name) => (name in attributes ? attributes[name] : null),
    setAttribute: (name, value) => { attributes[name] = value; },
    removeAttribute: (name) => { delete attributes[name]; } };
});
const rows = asked.rows.map((cells) => ({ cells: cells.map((c) => ({ textContent: c, dataset: { order: c } })) }));
const body = { rows, append: (...sorted) => { body.rows = sorted; } };
let click = null;
const table = { tBodies: [body], tHead: { rows: [{ cells: heads }], addEventListener: (name, f) => { click = f; } } };
const seen = [];
vm.runInNewContext(fs.readFileSync(asked.script, "utf8"), { document: { querySelectorAll: () => [table] } });
for (const column of asked.clicks) {
  click({ target: { closest: () => ({ closest: () => heads[column] }) } });
  seen.push([body.rows.map((row) => row.cells[0].textContent), heads.map((head) => head.getAttribute("aria-sort"))]);
}
console.log(JSON.stringify(seen));
"""


def clicked(tmp_path, kinds, rows, clicks, before=None):
    """Return names in order and aria-sort of the headings after each click on a heading."""
    if not NODE:
        pytest.skip("needs Node.js")
    (tmp_path / "harness.js").write_text(HARNESS)
    asked = {"script": str(SCRIPT), "kinds": kinds, "rows": rows, "clicks": clicks, "before": before}
    done = subprocess.run(
        [NODE, str(tmp_path / "harness.js"), json.dumps(asked)], capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


TEXT = {"kind": "text"}
ROWS = [["b 10", "2"], ["a", ""], ["b 9", "30"], ["c", "-4"]]


def test_numbers_sort_as_numbers_the_largest_first_and_those_missing_last(tmp_path):
    first, again = clicked(tmp_path, [TEXT, {}], ROWS, [1, 1])
    assert first == [["b 9", "b 10", "c", "a"], [None, "descending"]]
    assert again == [["c", "b 10", "b 9", "a"], [None, "ascending"]]


def test_texts_sort_from_a_with_their_numbers_as_numbers(tmp_path):
    first, again, other = clicked(tmp_path, [TEXT, {}], ROWS, [0, 0, 1])
    assert first == [["a", "b 9", "b 10", "c"], ["ascending", None]]
    assert again == [["c", "b 10", "b 9", "a"], ["descending", None]]
    assert other[1] == [None, "descending"]


def test_a_column_that_the_page_is_sorted_by_turns_round_at_the_first_click(tmp_path):
    kinds = [TEXT, {"first": "ascending"}]
    (turned,) = clicked(tmp_path, kinds, [["x", "1"], ["y", "2"]], [1], [None, "other"])
    assert turned == [["y", "x"], [None, "descending"]]
