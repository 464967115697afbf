"""JUnit XML over a run: one test case a LoRA and strength, for the pages that build servers make of it."""

from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path

from ...disk.files import write_text
from ...ledger.row import FAILED, REFUSED, Row
from ...text import inert
from ...verdict.verdict import DRIFT, INCONCLUSIVE, INVALID
from .format import Format, Rows

NAME = "junit.xml"
_KINDS = {DRIFT: "failure", INVALID: "error", INCONCLUSIVE: "skipped"}
"""Verdict -> what a test that ends so is called."""


def write_junit(rows: Rows, out: Path) -> Path:
    """Return the path of the file written into the run's folder."""
    write_text(out / NAME, render_junit(rows()))
    return out / NAME


def render_junit(rows: Iterable[Row]) -> str:
    """Return the test suite: DRIFT is a failure, INVALID an error, INCONCLUSIVE is skipped, with the reason."""
    cases: list[str] = []
    counts: Counter[str] = Counter()
    seconds = 0.0
    for row in rows:
        kind = _KINDS.get(row.verdict, "")
        counts[kind] += 1
        seconds += row.seconds
        cases.append(_case(row, kind))
    head = (
        f'<testsuite name="owf" tests="{len(cases)}" failures="{counts["failure"]}" errors="{counts["error"]}" '
        f'skipped="{counts["skipped"]}" time="{seconds:.2f}">'
    )
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>"]) + "\n"


def _case(row: Row, kind: str) -> str:
    name = inert(row.name, 300) + row.applied
    start = f'<testcase classname="{escape(inert(row.base or "no base"))}" name="{escape(name)}"'
    start += f' time="{row.seconds:.2f}"'
    if not kind:
        return f"  {start}/>"
    why = row.status if row.status in (REFUSED, FAILED) or not row.numbers else row.verdict
    message = escape(inert(row.reason, 500))
    said = f'<{kind} message="{message}" type="{escape(why)}">{escape(_numbers(row))}</{kind}>'
    return f"  {start}>{said}</testcase>"


def _numbers(row: Row) -> str:
    judged = (n for n in row.numbers if n.decision)
    return "; ".join(f"{n.metric} {n.name} {n.value:.4g} ({n.decision}, limit {n.limit:g})" for n in judged)


FORMAT = Format("junit", "a run as tests (JUnit XML), for build servers", write_run=write_junit, run_file=NAME)
