"""The table of a call: a row a LoRA, every number as it stands in the report, and nothing that a spreadsheet runs."""

import csv
import dataclasses
import io
import math

import report_samples as samples
from owf.core.ledger.row import Row
from owf.core.render.audited import Audited
from owf.core.render.formats.csv_ import render_csv, write_csv
from owf.core.render.formats.results import write_results


def rows(audits):
    return list(csv.DictReader(io.StringIO(render_csv(audits))))


def test_a_row_holds_the_numbers_of_its_report_to_the_last_digit(tmp_path):
    made = samples.report()
    (row,) = rows([Audited("x.safetensors", made, tmp_path / "x-quick")])
    assert (row["lora"], row["verdict"], row["folder"]) == ("x.safetensors", made.verdict.decision, "x-quick")
    assert row["sha256"] == made.adapter.sha256
    for metric, measurement in made.measurements.items():
        for name, estimate in measurement.estimates.items():
            for end in ("value", "low", "high", "floor"):
                number = getattr(estimate, end)
                shown = row[f"{metric}.{name}.{end}"]
                assert shown == "" if number is None or math.isinf(number) else float(shown) == number


def test_a_lora_without_a_report_is_a_row_with_its_reason():
    found = rows(
        [Audited("good.safetensors", samples.report()), Audited("bad.safetensors", refusal="not a LoRA, but a page")]
    )
    assert [row["verdict"] for row in found][1] == "INVALID"
    assert found[1]["reason"] == "not a LoRA, but a page"
    assert not any(value for name, value in found[1].items() if "." in name)


def test_what_was_learned_stands_behind_all_else_where_that_was_asked():
    taught = samples.trained_report()
    first, second = rows([Audited("a", taught), Audited("b", samples.report())])
    assert (first["learned"], second["learned"], second["learned.fidelity.value"]) == ("NOT LEARNED", "", "")
    fidelity = taught.learning.estimates["fidelity"]
    assert [float(first[f"learned.fidelity.{end}"]) for end in ("value", "low", "high")] == [
        fidelity.value,
        fidelity.low,
        fidelity.high,
    ]
    assert list(first)[-1] == "learned.copied.floor"
    assert not any(name.startswith("learned") for name in rows([Audited("b", samples.report())])[0])


def test_no_cell_is_a_formula_whatever_a_stranger_wrote():
    evil = ["=HYPERLINK(1)", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", 'a",=1\n=2']
    made = samples.report()
    strange = dataclasses.replace(made, adapter=dataclasses.replace(made.adapter, family="=cmd|' /C calc'!A0"))
    found = rows([Audited(name, strange, refusal=name) for name in evil])
    assert len(found) == len(evil)
    for row in found:
        for name in ("lora", "reason", "family", "base"):
            assert not row[name].lstrip().startswith(("=", "+", "-", "@")), row[name]
            assert "\n" not in row[name] and "\t" not in row[name]


def test_the_table_lies_beside_the_reports(tmp_path):
    path = write_csv([Audited("x.safetensors", samples.report())], tmp_path / "out")
    assert path.parent == tmp_path / "out" and path.suffix == ".csv"
    assert path.read_bytes().count(b"\r\n") == 2


def test_a_negative_strength_is_a_number(tmp_path):
    made = samples.report()
    backwards = dataclasses.replace(made, adapter=dataclasses.replace(made.adapter, strength=-0.5))
    (row,) = rows([Audited("x", backwards)])
    assert row["strength"] == "-0.5"
    write_results(lambda: [Row("=x;=y", "/x", "0", -0.5, "-z", "ask", "complete")], tmp_path)
    (row,) = csv.DictReader((tmp_path / "results.csv").read_text().splitlines())
    assert (row["strength"], row["name"], row["stack"]) == ("-0.5", "'=x;'=y", "'-z")
