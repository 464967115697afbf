"""A PASS in part: one that says nothing of some metrics which audits usually judge. No torch."""

from collections.abc import Iterable

from ..plan.presets import METRICS
from .policy import default_policy
from .report import Report
from .verdict import PASS

IN_PART = f"{PASS}, in part"
"""What stands for the decision where it is shown."""


def left_unjudged(decision: str, judged: Iterable[str]) -> tuple[str, ...]:
    """Return the metrics that a PASS says nothing of, though the usual plan and limits judge them.

    `judged` are the metrics of which a limit said something. None for other decisions: damage in one number is damage.
    """
    if decision != PASS:
        return ()
    limited, seen = {limit.metric for limit in default_policy().limits}, set(judged)
    return tuple(name for name in METRICS if name in limited and name not in seen)


def shown_verdict(report: Report) -> str:
    """Return the decision of a report as it is put out: a PASS in part as one."""
    return IN_PART if left_unjudged_in(report) else report.verdict.decision


def left_unjudged_in(report: Report) -> tuple[str, ...]:
    """Return the same of a report."""
    return left_unjudged(report.verdict.decision, (judgement.metric for judgement in report.verdict.judgements))
