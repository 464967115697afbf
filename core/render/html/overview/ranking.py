"""Many LoRAs as a table, worst first: one row each, no pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ....metrics.measurement import Estimate
from ....verdict.report import Report
from ....verdict.size import limits
from ....verdict.verdict import Judgement
from ... import words
from ...audited import Audited, Key, estimate_of, headlines, judgement_of
from .. import charts
from ..number import STATES

CHARTED = 300
"""LoRAs whose intervals are drawn: more would make the page slow to open, and its numbers say the same."""
_REACH = 4.0
"""Limits that the axis of a number is long: one LoRA far beyond must not flatten all others."""


@dataclass(frozen=True)
class Heading:
    """One number's column."""

    title: str
    """Short name."""
    note: str
    """The limit that its numbers are held to, or their unit."""


@dataclass(frozen=True)
class Cell:
    """One number of one LoRA."""

    value: str
    """Point estimate without unit."""
    interval: str
    """95 % interval."""
    order: str
    """What the column is sorted by; "" where there is no number."""
    decision: str
    """Decision of its limit, or ""."""
    state: str
    """CSS class of the decision."""
    chart: Markup
    """The interval on the column's axis; empty where LoRAs are too many."""


@dataclass(frozen=True)
class Line:
    """One LoRA."""

    name: str
    """Its name."""
    href: str
    """Its report relative to the page, or ""."""
    decision: str
    """Verdict, with what was learned before it."""
    state: str
    """Its CSS class."""
    cells: list[Cell]
    """Its numbers."""


@dataclass(frozen=True)
class Ranking:
    """The table."""

    headings: list[Heading]
    """Columns of numbers."""
    lines: list[Line]
    """LoRAs, worst first."""
    charted: bool
    """Whether intervals are drawn."""


def ranking(audits: Sequence[Audited], hrefs: Sequence[str]) -> Ranking:
    """Return the table of measured LoRAs in the given order, whose reports are at `hrefs`."""
    measured = [(audit, audit.report, href) for audit, href in zip(audits, hrefs, strict=True) if audit.report]
    reports = [report for _, report, _ in measured]
    keys, charted = headlines(reports), len(measured) <= CHARTED
    axes = {key: _axis(key, reports) if charted else None for key in keys}
    return Ranking(
        headings=[_heading(key, reports) for key in keys],
        lines=[_line(audit, report, href, axes) for audit, report, href in measured],
        charted=charted,
    )


def _axis(key: Key, reports: Sequence[Report]) -> charts.Scale:
    """Return a column's axis, at most a few limits long; what lies beyond is drawn at its end."""
    at = [end for report in reports if (j := judgement_of(report, key)) for end in limits(j)]
    reach = _REACH * max(at, default=math.inf)
    ends = [v for report in reports if (e := estimate_of(report, key)) for v in (e.low, e.high)]
    bounded = [min(max(v, -reach), reach) for v in ends if math.isfinite(v)]
    return charts.tight_scale([*bounded, *at], most_ticks=3)


def _heading(key: Key, reports: Sequence[Report]) -> Heading:
    seen = [(e, judgement_of(report, key)) for report in reports if (e := estimate_of(report, key))]
    unit, judgement = seen[0][0].unit, seen[0][1]
    note = words.unit_word(unit, key[1])
    if judgement:
        word = "alarm" if judgement.test == "alarm" else "limit"
        note = f"{word} {words.limit(judgement, unit)}"
    return Heading(words.estimate_title(key[1]), note)


def _line(audit: Audited, report: Report, href: str, axes: dict[Key, charts.Scale | None]) -> Line:
    cells = [_cell(estimate_of(report, key), judgement_of(report, key), axis) for key, axis in axes.items()]
    return Line(audit.title, href, audit.outcome, STATES.get(audit.shown_decision, "none"), cells)


def _cell(estimate: Estimate | None, judgement: Judgement | None, axis: charts.Scale | None) -> Cell:
    if estimate is None:
        return Cell(words.MISSING, "", "", "", "none", Markup())
    decision = judgement.decision if judgement else ""
    state = STATES.get(decision, "none")
    lines = tuple(("limit", end) for end in limits(judgement)) if judgement else ()
    return Cell(
        value=words.number(estimate.value, estimate.unit),
        interval=words.interval(estimate.low, estimate.high, estimate.unit),
        order=f"{estimate.value:.9g}" if math.isfinite(estimate.value) else "",
        decision=decision,
        state=state,
        chart=charts.row_chart(estimate, axis, state, lines) if axis else Markup(),
    )
