"""A report judged anew, from its own numbers: no model, no torch."""

import dataclasses

from .judge import NO_KNOWLEDGE, doubted, judge
from .policy import Policy
from .report import Report
from .verdict import DRIFT, INCONCLUSIVE, Verdict

NO_FEW_STEPS = ", for nobody draws with this base in few steps."
"""How a sentence ends about what was asked for and has no meaning on the base."""


def rejudged(report: Report, policy: Policy) -> Report:
    """Return the report with the verdict that a policy gives its measurements; one without any stays INVALID.

    What spoke against the base still does, and what had no meaning on it still has none. A report that was decided
    early lacks what it did not need: a policy by which it is no DRIFT decides nothing of it. Raises UsageError where
    the policy judges an estimate that was not measured.
    """
    if not report.measurements:
        return report
    before = report.verdict.reasons
    doubt = next((said.removesuffix(NO_KNOWLEDGE) for said in before if said.endswith(NO_KNOWLEDGE)), "")
    verdict = judge(report.measurements, policy, doubt)
    missing = left_out(report)
    if missing and verdict.decision != DRIFT:
        said = f"It was decided early by another policy, before {', '.join(missing)}: this one needs another audit."
        verdict = doubted(Verdict(INCONCLUSIVE, (said,), (), policy.name), report.measurements, doubt)
    stays = tuple(reason for reason in before if reason.endswith(NO_FEW_STEPS))
    return dataclasses.replace(report, verdict=dataclasses.replace(verdict, reasons=(*verdict.reasons, *stays)))


def left_out(report: Report) -> tuple[str, ...]:
    """Return the metrics of a report's plan that were not measured, as its verdict was DRIFT before; mostly none."""
    asked = report.plan.get("metrics")
    if not report.measurements or not isinstance(asked, list):
        return ()
    return tuple(str(metric) for metric in asked if metric not in report.measurements)
