"""Ledgers side by side differ by content and strength, whatever files are called and in whatever order they came."""

from owf.core.ledger.compare import compare
from owf.core.ledger.row import Number, Row


def row(name, verdict, content="", strength=1.0, value=1.0, decision="PASS"):
    number = Number("color", "cdi", value, value, value, 9, limit=5.0, decision=decision)
    return Row(name, name, content or name, strength, "", "ask", "complete", verdict, numbers=(number,))


def test_only_what_differs_is_named_with_the_numbers_that_differ():
    a = [row("x", "PASS"), row("y", "PASS", value=3.0), row("gone", "DRIFT")]
    b = [row("y2", "DRIFT", content="y", value=9.0, decision="DRIFT"), row("x", "PASS", value=4.0)]
    found, count = compare([a, b])
    assert [(d.name, d.verdicts, d.numbers) for d in found] == [
        ("gone", ("DRIFT", ""), ()),
        ("y", ("PASS", "DRIFT"), ("color cdi 3 (PASS) | 9 (DRIFT)",)),
    ]
    assert count == 3


def test_strengths_are_apart_and_three_ledgers_stand_beside_each_other():
    found, count = compare(
        [[row("x", "PASS"), row("x", "DRIFT", strength=2.0)], [row("x", "PASS")], [row("x", "PASS")]]
    )
    assert [(d.applied, d.verdicts) for d in found] == [(" @ 2", ("DRIFT", "", ""))]
    assert count == 2


def test_files_that_could_not_be_read_are_the_same_by_name():
    unread = [Row(name, name, "", 1.0, "", "ask", "failed") for name in ("a", "b")]
    assert compare([unread, unread]) == ([], 2)
