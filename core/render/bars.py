"""Estimates as bars: values, intervals, floors and limits as text and as positions, for panels and pictures."""

from collections.abc import Iterable, Sequence
from typing import Any

from ..metrics.measurement import Estimate, Measurement, Part
from ..verdict.reasons import silence
from ..verdict.report import Report
from ..verdict.size import limits
from ..verdict.verdict import NO_ALARM, Judgement
from . import words
from .html import charts

BARS = 24
"""Bars of a report at most; all its estimates are in its page."""
MOVED = 5
"""Lines of a breakdown that are shown: those that changed most."""


def bars(report: Report) -> list[dict[str, Any]]:
    """Return one bar for every judged estimate, or every headline where nothing was judged, in reading order."""
    judged = {(j.metric, j.estimate): j for j in report.verdict.judgements}
    found = []
    for metric in sorted(report.measurements, key=words.metric_order):
        measurement = report.measurements[metric]
        for name in _shown(measurement, judged):
            found.append(bar(name, measurement.estimates[name], judged.get((metric, name))))
    return found[:BARS]


def _shown(measurement: Measurement, judged: dict[tuple[str, str], Judgement]) -> Sequence[str]:
    names = [name for name in measurement.estimates if (measurement.metric, name) in judged]
    # A report that was read from its file has them by name.
    names.sort(key=lambda name: words.estimate_order(measurement.metric, name))
    return names or [measurement.headline]


def bar(
    name: str, estimate: Estimate, judgement: Judgement | None = None, axis: charts.Scale | None = None
) -> dict[str, Any]:
    """Return one estimate with its interval, noise floor and limit, as text and as positions on an axis."""
    marks = _marks(estimate, judgement)
    axis = axis or _axis(marks)
    return {
        "title": words.estimate_title(name),
        "value": words.quantity(estimate.value, estimate.unit, name),
        "interval": words.interval(estimate.low, estimate.high, estimate.unit),
        "floor": "" if estimate.floor is None else words.floor(estimate.floor, estimate.unit, name),
        "limit": "" if judgement is None else words.limit(judgement, estimate.unit),
        "limit_word": "alarm" if judgement is not None and judgement.test == "alarm" else "limit",
        "state": "" if judgement is None else judgement.decision,
        "note": _note(estimate, judgement),
        "at": {"zero": axis.at(0.0), **{mark: axis.at(v) for mark, v in marks.items() if v is not None}},
    }


def beside(name: str, seen: Sequence[tuple[Estimate | None, Judgement | None]]) -> list[dict[str, Any] | None]:
    """Return a number of several reports as bars on one axis; None where it was not measured."""
    axis = _axis(*(_marks(estimate, judgement) for estimate, judgement in seen if estimate))
    return [None if estimate is None else bar(name, estimate, judgement, axis) for estimate, judgement in seen]


def _marks(estimate: Estimate, judgement: Judgement | None) -> dict[str, float | None]:
    """Return what is marked on an estimate's axis."""
    # A change that goes either way has two limits; the one on its side is shown.
    limit = None if judgement is None else (limits(judgement)[0] if estimate.value < 0 else judgement.limit)
    marks = {"low": estimate.low, "value": estimate.value, "high": estimate.high}
    return {**marks, "floor": estimate.floor, "limit": limit}


def _axis(*marked: dict[str, float | None]) -> charts.Scale:
    """Return an axis that holds all marks, with room beyond limits."""
    beyond = [None if marks["limit"] is None else 1.2 * marks["limit"] for marks in marked]
    return charts.scale([*(value for marks in marked for value in marks.values()), *beyond])


def _note(estimate: Estimate, judgement: Judgement | None) -> str:
    """Return what a bar's colour cannot say: an alarm that did not fire is no sign of harmlessness."""
    if judgement is None or judgement.decision != NO_ALARM:
        return ""
    return f"no alarm: {silence(estimate, judgement)}"


def moved_bars(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Return a bar for each of the lines of a breakdown that changed most, in either direction."""
    ordered = sorted(parts, key=lambda part: -abs(part.estimate.value))
    return [bar(part.label, part.estimate) for part in ordered[:MOVED]]
