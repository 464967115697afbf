"""A report judged anew, from its own numbers: no model, no torch."""

import dataclasses

from .report import Report
from .verdict import Policy, judge

NO_KNOWLEDGE = " What was measured says how far its function moved, not what it forgot."
"""How the reason ends that a verdict on a base has which seems to know nothing."""


def rejudged(report: Report, policy: Policy) -> Report:
    """Return the report with the verdict that a policy gives its measurements; one without any stays INVALID.

    What spoke against the base still does. Raises UsageError where the policy judges an estimate that was not measured.
    """
    if not report.measurements:
        return report
    verdict = judge(report.measurements, policy)
    doubts = tuple(reason for reason in report.verdict.reasons if reason.endswith(NO_KNOWLEDGE))
    return dataclasses.replace(report, verdict=dataclasses.replace(verdict, reasons=(*verdict.reasons, *doubts)))
