"""The Parquet file has what the CSV has, with types."""

import math

import pytest
import report_samples as samples
from owf.core.errors import Setting, UsageError
from owf.core.ledger.row import Row, numbers
from owf.core.render.formats import format as formats
from owf.core.render.formats.format import chosen_formats, publish_run


def rows():
    kept = numbers(samples.open_report())
    return [
        Row("a", "a", "9f", 0.5, "", "ask", "complete", "DRIFT", numbers=kept, worst={"dress": 0.5}, attempts=2),
        Row("\x1b[2Jb", "b", "", 1.0, "", "ask", "refused", reason="broken"),
    ]


def test_every_number_of_every_row_is_there_with_its_type(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="could not import 'pyarrow'")
    publish_run(lambda: iter(rows() * 700), tmp_path, ["parquet"])
    lines = parquet.read_table(tmp_path / "results.parquet").to_pylist()
    assert len(lines) == 1400
    first, second = lines[:2]
    assert (first["strength"], first["attempts"], first["worst"]) == (0.5, 2, '{"dress": 0.5}')
    for n in rows()[0].numbers:
        for end in ("value", "low", "high", "floor", "limit"):
            number = getattr(n, end)
            expected = None if number is None or not math.isfinite(number) else number
            assert first[f"{n.metric}.{n.name}.{end}"] == expected
            assert second[f"{n.metric}.{n.name}.{end}"] is None
        assert first[f"{n.metric}.{n.name}.decision"] == n.decision
    assert "\x1b" not in second["name"]


def test_a_run_without_rows_is_a_table_without_rows(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="could not import 'pyarrow'")
    publish_run(lambda: iter([]), tmp_path, ["parquet"])
    assert parquet.read_table(tmp_path / "results.parquet").num_rows == 0


def test_without_its_package_the_format_says_what_to_install_before_the_work(monkeypatch, capsys):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        chosen_formats(["html", "parquet"])
    assert caught.value.settings == (Setting("install", "'owf[parquet]'"),)
    from owf.cli.arguments.arguments import parser

    with pytest.raises(SystemExit):
        parser().parse_args(["x", "--write", "parquet"])
    assert "pip install 'owf[parquet]'" in capsys.readouterr().err
