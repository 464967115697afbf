"""What a node's panel in the browser shows of a report: texts made here, positions in percent, addresses of files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...core.metrics.measurement import Estimate, Measurement
from ...core.render import words
from ...core.render.html import charts
from ...core.text import inert
from ...core.verdict.learning import LEARNED, NOT_LEARNED, NOT_SHOWN, Learning
from ...core.verdict.outcome import outcome, summary
from ...core.verdict.report import ImagePair, Report
from ...core.verdict.verdict import DRIFT, INCONCLUSIVE, NO_ALARM, PASS, Judgement, silence
from ..backend.places import view_url
from .wording import in_graph

PAIRS = 8
"""Image pairs that the panel offers, the most changed first."""
REASONS = 3
BARS = 24
"""Bars that a panel or picture has at most; all estimates of a report are in its page."""


def report_panel(report: Report, folder: Path) -> dict[str, Any]:
    """Return the panel of a report that lies in `folder`, as plain data."""
    decision = words.shown_decision(report)
    return {
        "kind": "report",
        "verdict": decision,
        "outcome": outcome(report),
        "symbol": words.SYMBOLS.get(decision, words.MISSING),
        "sentence": words.meaning(report),
        "reasons": reasons(report),
        "title": f"{inert(report.adapter.name)} on {inert(report.base.name)}",
        "bars": bars(report),
        "pairs": [_pair(pair, folder) for pair in report.pairs[:PAIRS] if _is_inside(pair, folder)],
        "report": view_url(folder / "report.html"),
    }


def reasons(report: Report) -> list[str]:
    """Return the verdict's first reasons, with what the graph has for the settings that would help.

    What a training learned and kept stands before them.
    """
    found = [summary(report)] if report.learning is not None else []
    return [inert(reason, 400) for reason in (*found, *report.verdict.worded(in_graph))[:REASONS]]


def bars(report: Report) -> list[dict[str, Any]]:
    """Return one bar for every judged estimate, or every headline where nothing was judged, in reading order."""
    judged = {(j.metric, j.estimate): j for j in report.verdict.judgements}
    found = []
    for metric in sorted(report.measurements, key=words.metric_order):
        measurement = report.measurements[metric]
        for name in _shown(measurement, judged):
            found.append(bar(name, measurement.estimates[name], judged.get((metric, name))))
    return found[:BARS]


_STATES = {LEARNED: PASS, NOT_LEARNED: DRIFT, NOT_SHOWN: INCONCLUSIVE}
"""What was learned -> the decision whose colour it gets."""


def learned_panel(learning: Learning | None) -> dict[str, Any]:
    """Return what the panel of a training shows of what was learned; nothing where it was not measured."""
    if learning is None:
        return {}
    found = [bar(name, estimate) for name, estimate in learning.estimates.items()]
    return {"badge": learning.decision, "state": _STATES[learning.decision], "bars": found}


def _shown(measurement: Measurement, judged: dict[tuple[str, str], Judgement]) -> Sequence[str]:
    names = [name for name in measurement.estimates if (measurement.metric, name) in judged]
    return names or [measurement.headline]


def bar(name: str, estimate: Estimate, judgement: Judgement | None = None) -> dict[str, Any]:
    """Return one estimate with its interval, noise floor and limit, as text and as positions."""
    limit = None if judgement is None else judgement.limit
    marks = {"low": estimate.low, "value": estimate.value, "high": estimate.high}
    marks |= {"floor": estimate.floor, "limit": limit}
    axis = charts.scale([*marks.values(), None if limit is None else 1.2 * limit])
    return {
        "title": words.estimate_title(name),
        "value": words.quantity(estimate.value, estimate.unit, name),
        "interval": words.interval(estimate.low, estimate.high, estimate.unit),
        "floor": "" if estimate.floor is None else words.quantity(estimate.floor, estimate.unit, name),
        "limit": "" if limit is None else words.quantity(limit, estimate.unit, name),
        "state": "" if judgement is None else judgement.decision,
        "note": _note(estimate, judgement),
        "at": {"zero": axis.at(0.0), **{mark: axis.at(v) for mark, v in marks.items() if v is not None}},
    }


def _note(estimate: Estimate, judgement: Judgement | None) -> str:
    """Return what a bar's colour cannot say: an alarm that did not fire is no sign of harmlessness."""
    if judgement is None or judgement.decision != NO_ALARM:
        return ""
    return f"no alarm: {silence(estimate, judgement.limit)}"


def _is_inside(pair: ImagePair, folder: Path) -> bool:
    """Return whether both pictures lie below the report, which may come from a stranger."""
    names = (pair.base, pair.tuned)
    return not any("\0" in name for name in names) and all(
        (folder / name).resolve().is_relative_to(folder.resolve()) for name in names
    )


def _pair(pair: ImagePair, folder: Path) -> dict[str, str]:
    return {
        "prompt": inert(pair.prompt, 200),
        "change": f"{words.number(pair.change, decimals=1)} ΔE",
        "base": view_url(folder / pair.base),
        "tuned": view_url(folder / pair.tuned),
    }
