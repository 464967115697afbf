"""The LoRAs of one call, each with its report or the reason why there is none. No torch."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import Setting
from ..metrics.measurement import Estimate
from ..verdict.outcome import outcome
from ..verdict.report import Report
from ..verdict.size import size
from ..verdict.verdict import INVALID, NO_ALARM, WORST_FIRST, Judgement
from . import words

Key = tuple[str, str]
"""Metric and estimate."""


@dataclass(frozen=True)
class Audited:
    """One LoRA of a call."""

    name: str
    """Name that tells it from the call's other files."""
    report: Report | None = None
    """Its report; None where there is none."""
    folder: Path | None = None
    """Where its report was written."""
    refusal: str = ""
    """Why there is no report."""

    @property
    def title(self) -> str:
        """The name without the ending that nearly all share."""
        return self.name.removesuffix(".safetensors") or self.name

    @property
    def decision(self) -> str:
        """The report's verdict; INVALID without one."""
        return INVALID if self.report is None else self.report.verdict.decision

    @property
    def shown_decision(self) -> str:
        """The decision whose colour and mark it gets; see `words.shown_decision`."""
        return INVALID if self.report is None else words.shown_decision(self.report)

    @property
    def outcome(self) -> str:
        """The verdict, with what was learned before it where that was asked."""
        return INVALID if self.report is None else outcome(self.report)

    @property
    def reason(self) -> str:
        """The first reason of the verdict, or why there is none."""
        return self.reason_in(lambda setting: "")

    def reason_in(self, word: Callable[[Setting], str]) -> str:
        """Return that reason with a host's words for the settings that would help."""
        return self.refusal if self.report is None else (*self.report.verdict.worded(word), "")[0]

    @property
    def measured(self) -> bool:
        """Whether it has numbers."""
        return self.report is not None and bool(self.report.measurements)


def headlines(reports: Iterable[Report]) -> list[Key]:
    """Return the numbers worth comparing, in reading order: each metric's headline, then what else was judged.

    Of what is watched by an alarm only, what set one off counts: most never do, and a table has room for few.
    """
    found: dict[Key, int] = {}
    for report in reports:
        for name, measurement in report.measurements.items():
            found[name, measurement.headline] = 0
        for j in report.verdict.judgements:
            is_there = j.metric in report.measurements and j.estimate in report.measurements[j.metric].estimates
            if is_there and j.decision != NO_ALARM:
                found.setdefault((j.metric, j.estimate), 1)
    return sorted(found, key=lambda key: (words.metric_order(key[0]), found[key], key[1]))


def estimate_of(report: Report, key: Key) -> Estimate | None:
    """Return one estimate of a report, None where it was not measured."""
    measurement = report.measurements.get(key[0])
    return measurement.estimates.get(key[1]) if measurement else None


def judgement_of(report: Report, key: Key) -> Judgement | None:
    """Return what the policy says about one estimate, None where it has no limit."""
    return next((j for j in report.verdict.judgements if (j.metric, j.estimate) == key), None)


def worst_first(audits: Iterable[Audited]) -> list[Audited]:
    """Return the audits by verdict, and within a verdict by how far their worst number is towards or past its limit."""
    return sorted(audits, key=lambda audit: (_rank(audit.decision), -_severity(audit.report), audit.name))


def _rank(decision: str) -> int:
    return WORST_FIRST.index(decision) if decision in WORST_FIRST else len(WORST_FIRST)


def _severity(report: Report | None) -> float:
    """Return the largest of a report's numbers in terms of their limits; 0 where nothing was judged."""
    if report is None:
        return 0.0
    judged = [(estimate_of(report, (j.metric, j.estimate)), j) for j in report.verdict.judgements]
    shares = [size(e, j.estimate).value / j.limit for e, j in judged if e is not None and j.limit > 0]
    return max((share for share in shares if not math.isnan(share)), default=0.0)
