"""What a node's panel in the browser shows of a report: texts made here, positions in percent, addresses of files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...core.ledger.known import Known
from ...core.render import words
from ...core.render.bars import bar, bars
from ...core.render.ranked import Ranked, ranked
from ...core.text import inert
from ...core.verdict.learning import LEARNED, NOT_LEARNED, NOT_SHOWN, Learning
from ...core.verdict.outcome import outcome, summary
from ...core.verdict.part import left_unjudged_in
from ...core.verdict.report import ImagePair, Report
from ...core.verdict.verdict import DRIFT, INCONCLUSIVE, PASS, WORST_FIRST
from ..backend.places import view_url
from .wording import in_graph

PAIRS = 8
"""Image pairs that the panel offers, the most changed first."""
REASONS = 3
"""Reasons that the panel gives; the report has all."""
_WHOLE = "A whole audit judges them too (preset, metrics, policy)."
"""What stands behind what a PASS in part says nothing of."""
UNKNOWN = "UNKNOWN"
"""State, and by it the colour, of a badge that says no verdict, one that is only claimed, or a PASS in part."""


def report_panel(report: Report, folder: Path, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the panel of a report that lies in `folder`, as plain data; `notes` are what else is to be said."""
    decision, unjudged = words.shown_decision(report), left_unjudged_in(report)
    return {
        "kind": "report",
        "verdict": decision,
        "state": UNKNOWN if unjudged else decision,
        "outcome": outcome(report),
        "symbol": words.SYMBOLS.get(decision, words.MISSING),
        "sentence": words.meaning(report),
        "reasons": reasons(report),
        "notes": [inert(note, 400) for note in (*notes, *unjudged_notes(unjudged))],
        "title": f"{inert(report.adapter.name)} on {inert(report.base.name)}{words.asked_at(report)}",
        "bars": bars(report),
        "lists": [_list(each) for each in ranked(report.measurements)],
        "pairs": [pair_data(pair, folder) for pair in report.pairs[:PAIRS] if is_inside(pair, folder)],
        "report": view_url(folder / "report.html"),
    }


def reasons(report: Report) -> list[str]:
    """Return the verdict's first reasons, with what the graph has for the settings that would help.

    What a training learned and kept stands before them.
    """
    found = [summary(report)] if report.learning is not None else []
    return [inert(reason, 400) for reason in (*found, *report.verdict.worded(in_graph))[:REASONS]]


def known_panel(name: str, verdict: str, known: Known | None, notes: Sequence[str]) -> dict[str, Any]:
    """Return the panel of a LoRA that was loaded: the verdict that is known of it, who says so, and of which base."""
    lines = []
    if known is not None:
        lines = [["Audited at", f"strength {known.strength:g}"], ["On", known.base], ["Said by", known.by]]
        notes = [*notes, *unjudged_notes(known.unjudged), known.reason]
    shown = {"title": inert(name, 120), "lines": [line for line in lines if line[1]]}
    return {
        "kind": "facts",
        **shown,
        "notes": [inert(note, 400) for note in notes if note],
        "badge": verdict,
        "symbol": words.SYMBOLS.get(verdict, words.MISSING),
        "state": verdict if verdict in WORST_FIRST else UNKNOWN,
    }


def unjudged_notes(metrics: Sequence[str]) -> list[str]:
    """Return the sentence that says of what a PASS in part says nothing; none where it says all that is usual."""
    if not metrics:
        return []
    return [f"{words.not_judged(metrics)} {_WHOLE}"]


_STATES = {LEARNED: PASS, NOT_LEARNED: DRIFT, NOT_SHOWN: INCONCLUSIVE}
"""What was learned -> the decision whose colour it gets."""


def learned_panel(learning: Learning | None) -> dict[str, Any]:
    """Return what the panel of a training shows of what was learned; nothing where it was not measured."""
    if learning is None:
        return {}
    found = [bar(name, estimate) for name, estimate in learning.estimates.items()]
    return {"badge": learning.decision, "state": _STATES[learning.decision], "bars": found}


def _list(found: Ranked) -> dict[str, Any]:
    """Return a list of concepts: of each its name, its number and its interval."""
    lines = [
        [inert(part.label, 80), words.quantity(e.value, e.unit), words.interval(e.low, e.high, e.unit)]
        for part, e in ((part, part.estimate) for part in found.parts)
    ]
    return {"title": found.title, "lines": lines}


def is_inside(pair: ImagePair, folder: Path) -> bool:
    """Return whether both pictures lie below the report, which may come from a stranger."""
    names = (pair.base, pair.tuned)
    return not any("\0" in name for name in names) and all(
        (folder / name).resolve().is_relative_to(folder.resolve()) for name in names
    )


def pair_data(pair: ImagePair, folder: Path) -> dict[str, str]:
    """Return both pictures of a report that lies in `folder`, with their prompt and how far they are apart."""
    return {
        "prompt": inert(pair.prompt, 200),
        "change": f"{words.number(pair.change, decimals=1)} ΔE",
        "base": view_url(folder / pair.base),
        "tuned": view_url(folder / pair.tuned),
    }
