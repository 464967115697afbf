"""The overview as its HTML template wants it: what stands side by side, what in the table, what is only listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ....verdict.verdict import INVALID, worst
from ... import words
from ...audited import Audited, worst_first
from ..html import NAME
from ..number import STATES, Count, counts
from .ranking import Ranking, ranking
from .side_by_side import SideBySide, side_by_side

MOST_COLUMNS = 6
"""LoRAs that fit side by side; more become a table."""
FIRST_FAILURES = 20
"""LoRAs without numbers that are listed before the reader asks for more."""


@dataclass(frozen=True)
class Failure:
    """A LoRA that is INVALID."""

    name: str
    """Its name."""
    reason: str
    """Why."""
    href: str
    """Its report relative to the page, or ""."""


@dataclass(frozen=True)
class Overview:
    """Everything on the page."""

    title: str
    """Heading."""
    state: str
    """CSS class of the worst verdict."""
    counts: list[Count]
    """Verdicts, the worst first."""
    subject: str
    """Base and preset that the reports share."""
    columns: SideBySide | None
    """The LoRAs side by side; None if they are too many, or none was measured."""
    ranking: Ranking | None
    """The LoRAs as a table, worst first; None if they stand side by side."""
    failures: list[Failure]
    """LoRAs that are INVALID."""
    first_failures: int
    """Those shown before the reader asks for more."""


def overview(audits: Sequence[Audited], out: Path) -> Overview:
    """Return the page's content; reports are linked and images read below the folder `out`."""
    measured = [audit for audit in audits if audit.measured]
    few = len(measured) <= MOST_COLUMNS
    return Overview(
        title=_title(len(measured), " side by side") if few and measured else _title(len(audits)),
        state=STATES.get(worst(audit.decision for audit in audits), "none"),
        counts=counts(audit.decision for audit in audits),
        subject=_subject(measured),
        columns=side_by_side(measured, [_href(a, out) for a in measured]) if few and measured else None,
        ranking=None if few else ranking(ordered := worst_first(measured), [_href(a, out) for a in ordered]),
        failures=[Failure(a.name, a.reason, _href(a, out)) for a in audits if a.decision == INVALID],
        first_failures=FIRST_FAILURES,
    )


def _title(count: int, how: str = "") -> str:
    return "1 LoRA" if count == 1 else f"{count:,} LoRAs{how}"


def _href(audit: Audited, out: Path) -> str:
    """Return the address of an audit's report relative to the page; "" for one that is not below it."""
    if audit.folder is None or not audit.folder.resolve().is_relative_to(out.resolve()):
        return ""
    return quote((audit.folder.resolve().relative_to(out.resolve()) / NAME).as_posix())


def _subject(measured: Sequence[Audited]) -> str:
    reports = [audit.report for audit in measured if audit.report]
    facts = {
        "on": dict.fromkeys(report.base.name for report in reports),
        "preset": dict.fromkeys(str(report.plan.get("preset", words.MISSING)) for report in reports),
        "policy": dict.fromkeys(report.verdict.policy for report in reports),
    }
    return ", ".join(f"{title} {_list(list(names))}" for title, names in facts.items() if names)


def _list(names: Sequence[str]) -> str:
    shown = [words.inert(name, 60) for name in names[:3]]
    return " and ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
