"""The ledger: a row, its numbers and its report are kept together or not at all, and read back as they were."""

import dataclasses
import functools
import math
import os
import sqlite3

import pytest
import report_samples as samples
from owf.core.errors import UsageError
from owf.core.ledger.ledger import VERSION, Ledger
from owf.core.ledger.row import Row, numbers, worst
from owf.core.verdict.report import to_json


def row(name="a.safetensors", report=None, **changes):
    made = Row(name, f"/loras/{name}", "9f" * 32, 1.0, "", "ask", "complete")
    if report is not None:
        made = dataclasses.replace(
            made, verdict=report.verdict.decision, numbers=numbers(report), worst=worst(report.measurements)
        )
    return dataclasses.replace(made, **changes)


def test_rows_numbers_and_reports_come_back_as_they_were(tmp_path):
    report = samples.report()
    kept = row(report=report, thumbnail=b"\xff\xd8\0", folder="a-quick")
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(kept, report)
        ledger.put(row("b.safetensors", status="refused", reason="it is broken"), None)
    with Ledger(tmp_path / "l.sqlite", writes=False) as ledger:
        first, second = ledger.rows()
        assert first == dataclasses.replace(kept, numbers=tuple(sorted(kept.numbers, key=lambda n: (n.metric, n.name))))
        assert next(iter(first.worst)) == "dress"
        assert to_json(ledger.report(first)) == to_json(report)
        assert (second.reason, ledger.report(second)) == ("it is broken", None)
    assert [p.name for p in tmp_path.iterdir()] == ["l.sqlite"]


def test_open_intervals_and_no_number_come_back(tmp_path):
    report = samples.open_report()
    made = row(report=report)
    lost = dataclasses.replace(made.numbers[0], value=math.nan, metric="z")
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(dataclasses.replace(made, numbers=(*made.numbers, lost)), report)
        (back,) = ledger.rows()
    assert (back.numbers[0].low, back.numbers[0].high) == (-math.inf, math.inf)
    assert math.isnan(back.numbers[-1].value)


def test_a_key_has_one_row(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        for reason in ("first", "second"):
            ledger.put(row(reason=reason, numbers=numbers(samples.report())), samples.report())
        for other in ({"strength": 0.5}, {"ask": "other"}, {"sha256": "0" * 64}, {"stack": "x@1"}):
            ledger.put(row(**other), None)
        found = list(ledger.rows())
        counts = [ledger._one(f"SELECT count(*) FROM {table}") for table in ("numbers", "reports")]
    assert [r.reason for r in found] == ["second", "", "", "", ""]
    assert counts == [len(numbers(samples.report())), 1]


def test_the_same_content_is_found_under_another_name_its_own_row_first(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(row("a", reason="a's"), None)
        ledger.put(row("b", reason="b's"), None)
        assert ledger.find("b", "9f" * 32, "ask", 1.0).reason == "b's"
        assert ledger.find("c", "9f" * 32, "ask", 1.0).reason == "a's"
        assert ledger.find("a", "9f" * 32, "ask", 0.5) is None
        assert ledger.find("a", "9f" * 32, "other", 1.0) is None


@pytest.mark.parametrize("name", [*samples.HOSTILE, "caf\udce9.safetensors"])
def test_whatever_a_file_is_called_it_has_a_row(tmp_path, name):
    hostile = samples.hostile_report()
    with Ledger(tmp_path / "l.sqlite") as ledger:
        made = row(name, hostile, reason=name)
        said = (dataclasses.replace(n, decision="DRIFT" if n.decision else "") for n in made.numbers)
        made = dataclasses.replace(made, numbers=tuple(said))
        for _ in range(2):
            ledger.put(made, hostile)
        assert ledger.find(name, made.sha256, "ask", 1.0) is not None
        (back,) = ledger.rows()
        assert len(back.numbers) == len(made.numbers)


def test_a_transaction_that_fails_leaves_the_row_before(tmp_path, monkeypatch):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(row(reason="whole"), samples.report())
        ledger._db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON reports BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
        with pytest.raises(UsageError, match=r"disk is full.*Free disk space"):
            ledger.put(row(reason="half"), samples.report())
        ledger._db.execute("DROP TRIGGER full")
        (kept,) = ledger.rows()
        assert kept.reason == "whole" and ledger.report(kept) is not None


def other_database(path):
    sqlite3.connect(path).execute("CREATE TABLE rows (x)").connection.close()


def of_layout(version, path):
    Ledger(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"no database" * 100), "damaged"),
        (other_database, "another SQLite file"),
        *((functools.partial(of_layout, other), f"layout {other},") for other in (VERSION + 1, 0, -1)),
        (lambda path: path.mkdir(), "cannot be used as a ledger"),
    ],
)
@pytest.mark.parametrize("writes", [True, False])
def test_what_is_no_ledger_is_refused(tmp_path, make, words, writes):
    path = tmp_path / "l.sqlite"
    make(path)
    with pytest.raises(UsageError, match=words if writes or not path.is_dir() else "no ledger"):
        Ledger(path, writes=writes)


def test_no_ledger_is_made_by_reading(tmp_path):
    with pytest.raises(UsageError, match="there is no ledger"):
        Ledger(tmp_path / "l.sqlite", writes=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("column", ["name", "strength", "thumbnail", "worst", "attempts"])
def test_values_of_another_kind_are_refused(tmp_path, column):
    path = tmp_path / "l.sqlite"
    with Ledger(path) as ledger:
        ledger.put(row(), None)
        ledger._db.execute(f"UPDATE rows SET {column} = ?", ("x" if column != "name" else b"x",))
        if column == "thumbnail":
            ledger._db.execute("UPDATE rows SET thumbnail = 'text'")
        with pytest.raises(UsageError, match="damaged"):
            list(ledger.rows())


def test_a_damaged_report_is_said_to_be_damaged(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(row(), samples.report())
        ledger._db.execute("UPDATE reports SET json = substr(json, 1, 200)")
        (kept,) = ledger.rows()
        with pytest.raises(UsageError, match=r"damaged.* makes it anew"):
            ledger.report(kept)


def test_a_ledger_in_a_folder_that_cannot_be_written_is_read(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(row(), samples.report())
    (tmp_path / "l.sqlite").chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        with Ledger(tmp_path / "l.sqlite", writes=False) as ledger:
            assert len(list(ledger.rows())) == 1
        if os.geteuid():  # root may write everywhere
            with pytest.raises(UsageError, match="cannot be written"):
                Ledger(tmp_path / "l.sqlite").put(row(), None)
    finally:
        tmp_path.chmod(0o755)


def test_the_row_of_a_file_that_could_not_be_read_goes_once_it_can(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(row(sha256="", status="refused"), None)
        ledger.put(row("b.safetensors", sha256=""), None)
        ledger.put(row(), None)
        assert [(r.name, r.sha256 != "") for r in ledger.rows()] == [("b.safetensors", False), ("a.safetensors", True)]


@pytest.mark.parametrize(
    "change", ["strength = 9e999", "seconds = -9e999", "worst = '{\"a\": NaN}'", "worst = '{\"a\": 1e999}'"]
)
def test_numbers_of_a_strangers_ledger_that_no_json_can_hold_are_damage(tmp_path, change):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(row(), None)
        ledger._db.execute(f"UPDATE rows SET {change}")
        with pytest.raises(UsageError, match="damaged"):
            list(ledger.rows())


@pytest.mark.parametrize(
    "change",
    ["verdict = 'FINE'", "verdict = char(27) || '[2J'", "status = 'done'", "folder = 'a' || char(0) || 'b'"],
)
def test_what_no_run_says_of_a_file_is_damage(tmp_path, change):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(row(), None)
        ledger._db.execute(f"UPDATE rows SET {change}")
        with pytest.raises(UsageError, match="damaged: its") as said:
            list(ledger.rows())
    assert "\x1b" not in str(said.value)


@pytest.mark.parametrize("change", ["decision = 'FINE'", '"limit" = NULL', "decision = ''"])
def test_what_no_limit_says_is_damage(tmp_path, change):
    report = samples.report()
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(row(report=report), report)
        ledger._db.execute(f"UPDATE numbers SET {change} WHERE decision != ''")
        with pytest.raises(UsageError, match="damaged: a number"):
            list(ledger.rows())


ENDLESS = """ALTER TABLE {0} RENAME TO kept;
CREATE VIEW {0} AS WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
SELECT kept.* FROM kept, n;"""
PASSES = "CREATE TRIGGER t AFTER INSERT ON numbers BEGIN UPDATE rows SET verdict = 'PASS'; END"


@pytest.mark.parametrize("sql", [*(ENDLESS.format(table) for table in ("rows", "numbers", "reports")), PASSES])
@pytest.mark.parametrize("writes", [True, False])
def test_a_ledger_that_defines_more_than_tables_is_none(tmp_path, sql, writes):
    path = tmp_path / "l.sqlite"
    with Ledger(path) as ledger:
        ledger.put(row(), None)
    db = sqlite3.connect(path)
    db.executescript(sql)
    db.close()
    with pytest.raises(UsageError, match="views or triggers"):
        Ledger(path, writes=writes)
