"""Judging: limits and measurements become a verdict, which can be made anew from a report. No torch."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..errors import Setting, UsageError
from ..metrics.measurement import Estimate, Measurement
from ..metrics.metric import known as known_metric
from .policy import Limit, Policy, default_policy
from .reasons import reason, subject, title
from .size import goes_either_way, size
from .verdict import DRIFT, INCONCLUSIVE, INVALID, NO_ALARM, PASS, Judgement, Verdict, invalid

NO_KNOWLEDGE = " What was measured says how far its function moved, not what it forgot."
"""How the reason ends that a verdict on a base has which seems to know nothing."""


def judge(measurements: Mapping[str, Measurement], policy: Policy | None = None, doubt: str = "") -> Verdict:
    """Return the verdict: DRIFT if any limit is broken, PASS if every one holds, otherwise INCONCLUSIVE.

    An alarm that did not fire is no evidence: where nothing else is judged, the verdict is INCONCLUSIVE, as it is where
    nothing at all is. Limits whose metric was not run, or had no such number, are skipped and named. Nothing measured
    is INVALID. `doubt` is the sentence that a base seems to know nothing; see `doubted`.
    """
    return doubted(_judged(measurements, policy), measurements, doubt)


def doubted(verdict: Verdict, measurements: Mapping[str, Measurement], doubt: str) -> Verdict:
    """Return the verdict on a base that seems to know nothing, which is said; an empty `doubt` changes nothing.

    What knows nothing cannot forget: that little moved is no PASS then, unless a metric showed that the base knows
    something. That much did is as true as on any base.
    """
    if not doubt or not measurements:
        return verdict
    said = doubt + NO_KNOWLEDGE
    if verdict.decision != PASS or _shows_knowledge(measurements):
        return replace(verdict, reasons=(*verdict.reasons, said))
    return replace(verdict, decision=INCONCLUSIVE, reasons=(said, *verdict.reasons))


def _shows_knowledge(measurements: Iterable[str]) -> bool:
    return any(metric is not None and metric.shows_knowledge for metric in map(known_metric, measurements))


def _judged(measurements: Mapping[str, Measurement], policy: Policy | None) -> Verdict:
    if policy is None:
        policy = default_policy()
    measured = [limit for limit in policy.limits if _is_measured(limit, measurements)]
    judgements = tuple(_judge_limit(measurements, limit) for limit in measured)
    skipped = sorted({_missing(limit, measurements) for limit in policy.limits if limit not in measured})
    if not measurements:
        return invalid("Nothing was measured.")
    missing = f"Not measured, so not judged: {', '.join(skipped)}."
    if not judgements:
        said = unjudged(measurements, policy) or missing
        return Verdict(INCONCLUSIVE, (said,), (), policy.name, OF_UNJUDGED)
    decision = _combine([j.decision for j in judgements])
    reasons = [] if {j.decision for j in judgements} != {NO_ALARM} else [_ONLY_ALARMS]
    deciding = [j for j in judgements if j.decision == decision]
    # What was damaged is said before by how much the whole was.
    reasons += [j.reason for j in sorted(deciding, key=lambda j: not subject(measurements, j.metric, j.estimate))]
    reasons += [j.reason for j in judgements if j.decision not in (decision, PASS) and not _is_quiet(j, measurements)]
    if skipped:
        reasons.append(missing)
    return Verdict(decision, tuple(reasons), judgements, policy.name)


def _is_quiet(judgement: Judgement, measurements: Mapping[str, Measurement]) -> bool:
    """Return whether an alarm has nothing to say: one of the several of a metric, far from its limit."""
    if judgement.decision != NO_ALARM or not goes_either_way(judgement.estimate):
        return False
    seen = size(measurements[judgement.metric].estimates[judgement.estimate], judgement.estimate)
    return seen.high <= judgement.limit


def follows(verdict: Verdict, measurements: Mapping[str, Measurement]) -> bool:
    """Return whether a verdict says what its judgements do, and each of these what its estimate and limit do.

    Without any it is INVALID, or INCONCLUSIVE where something was measured: earlier releases said INVALID of both.
    """
    for judgement in verdict.judgements:
        limit = Limit(judgement.metric, judgement.estimate, judgement.limit, judgement.test)
        estimates = measurements[judgement.metric].estimates if judgement.metric in measurements else {}
        if judgement.estimate not in estimates or _decide(estimates[judgement.estimate], limit) != judgement.decision:
            return False
    if not verdict.judgements:
        return verdict.decision == INVALID or (verdict.decision == INCONCLUSIVE and bool(measurements))
    decision = _combine([j.decision for j in verdict.judgements])
    if decision == PASS and any(reason.endswith(NO_KNOWLEDGE) for reason in verdict.reasons):
        return verdict.decision == (PASS if _shows_knowledge(measurements) else INCONCLUSIVE)
    return verdict.decision == decision


def damaged(verdict: Verdict, measurements: Mapping[str, Measurement]) -> tuple[str, ...]:
    """Return what is named by the limits that are broken, such as a class, each once."""
    broken = (j for j in verdict.judgements if j.decision == DRIFT)
    names = (subject(measurements, j.metric, j.estimate) for j in broken)
    return tuple(dict.fromkeys(name for name in names if name))


def unjudged(metrics: Iterable[str], policy: Policy) -> str:
    """Return the sentence that none of these metrics has a limit; "" where one has. It is known before the work is."""
    if {limit.metric for limit in policy.limits} & set(metrics):
        return ""
    return "No measured metric has a limit in the policy, so there is nothing to decide."


OF_UNJUDGED = (Setting("policy"), Setting("metrics"))
"""What gives metrics limits, or measures some that have one."""
_ONLY_ALARMS = "Only alarms are judged, and none fired: that does not show that anything is harmless."


def _combine(decisions: list[str]) -> str:
    if DRIFT in decisions:
        return DRIFT
    return INCONCLUSIVE if INCONCLUSIVE in decisions or PASS not in decisions else PASS


def _is_measured(limit: Limit, measurements: Mapping[str, Measurement]) -> bool:
    """Return whether a limit has its number, or one that nobody knows, which is an error of the policy's."""
    if limit.metric not in measurements:
        return False
    metric = known_metric(limit.metric)
    may_be_missing = metric is not None and limit.estimate in metric.quantities
    return limit.estimate in measurements[limit.metric].estimates or not may_be_missing


def _missing(limit: Limit, measurements: Mapping[str, Measurement]) -> str:
    """Return what is not there for a limit: its metric, or one number of it, as gray pictures have no saturation."""
    return limit.metric if limit.metric not in measurements else title(limit.metric, limit.estimate)


def _judge_limit(measurements: Mapping[str, Measurement], limit: Limit) -> Judgement:
    estimates = measurements[limit.metric].estimates
    if limit.estimate not in estimates:
        known = ", ".join(sorted(estimates))
        said = f"policy: {limit.metric} has no estimate {limit.estimate!r}; it has {known}."
        raise UsageError(said, Setting("policy"))
    estimate = estimates[limit.estimate]
    decision = _decide(estimate, limit)
    more = samples_to_decide(size(estimate, limit.estimate), limit.limit) if decision == INCONCLUSIVE else None
    said = reason(limit, estimate, decision, more)
    name = subject(measurements, limit.metric, limit.estimate)
    if name and decision in (DRIFT, INCONCLUSIVE):
        said = f"{name}: {said[:1].lower()}{said[1:]}"
    return Judgement(limit.metric, limit.estimate, limit.limit, limit.test, decision, said, more)


def _decide(estimate: Estimate, limit: Limit) -> str:
    seen = size(estimate, limit.estimate)
    if seen.low > limit.limit:
        return DRIFT
    if limit.test == "alarm":
        return NO_ALARM
    return PASS if seen.high <= limit.limit else INCONCLUSIVE


_FAR = 1e6
"""Half-widths from a number to its limit, beyond which nobody draws as many samples as its square."""


def samples_to_decide(estimate: Estimate, limit: float) -> int | None:
    """Return about how many samples would bring the interval to one side of the limit; None if no number would."""
    gap = abs(limit - estimate.value)
    half = (estimate.high - estimate.low) / 2
    if gap == 0 or not math.isfinite(half) or half > _FAR * gap:
        return None
    return max(estimate.n + 1, math.ceil(estimate.n * (half / gap) ** 2))
