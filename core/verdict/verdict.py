"""What it means: a policy of limits turns measurements into PASS, DRIFT, INCONCLUSIVE or INVALID. No torch."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from ..errors import Setting, UsageError, with_words
from ..metrics.measurement import Estimate, Measurement
from ..metrics.metric import all_metrics, quantity
from ..metrics.metric import known as known_metric
from ..text import inert
from .size import goes_either_way, size

PASS, DRIFT, INCONCLUSIVE, INVALID = "PASS", "DRIFT", "INCONCLUSIVE", "INVALID"
NO_ALARM = "NO ALARM"
"""What an alarm says that did not fire: neither harm nor harmlessness is shown, so it is no decision of a verdict."""
JUDGED = (PASS, DRIFT, INCONCLUSIVE, NO_ALARM)
"""What one limit may say."""
EXIT_CODES = {PASS: 0, DRIFT: 1, INCONCLUSIVE: 3, INVALID: 4}
WORST_FIRST = (DRIFT, INVALID, INCONCLUSIVE, PASS)
"""Decisions in the order in which they matter where several LoRAs are audited at once."""


@dataclass(frozen=True)
class Limit:
    """The most that one estimate may be before it counts as damage."""

    metric: str
    """Metric it belongs to."""
    estimate: str
    """Name of the estimate within the metric."""
    limit: float
    """Largest harmless value, in the estimate's unit; of a change that goes either way, its largest harmless size."""
    test: str = "equivalence"
    """"equivalence": PASS needs the whole interval below the limit. "alarm": only an interval wholly above
    the limit counts, as DRIFT; otherwise it says NO ALARM, for statistics whose noise floor is too large to ever
    prove harmlessness."""

    def __post_init__(self) -> None:
        if self.test not in ("equivalence", "alarm"):
            raise UsageError(f"policy: test is {self.test!r}; use 'equivalence' or 'alarm'.")
        if not math.isfinite(self.limit):
            raise UsageError(f"policy: the limit of {self.metric}.{self.estimate} must be a finite number.")


@dataclass(frozen=True)
class Policy:
    """Which estimates are judged, and by which limits."""

    limits: tuple[Limit, ...]
    """Those that are no alarms must all hold for PASS, and no alarm may fire."""
    name: str = "default"
    """Shown in the report."""


@cache
def default_policy() -> Policy:
    """Return the limits that stand in the metrics' own records, which say where each comes from."""
    return Policy(
        tuple(
            Limit(metric.name, name, known.limit, known.test)
            for metric in all_metrics()
            for name, known in metric.quantities.items()
            if known.limit is not None
        )
    )


@dataclass(frozen=True)
class Judgement:
    """What one limit says."""

    metric: str
    """Metric judged."""
    estimate: str
    """Estimate judged."""
    limit: float
    """Its limit."""
    test: str
    """Test that was applied."""
    decision: str
    """PASS, DRIFT, INCONCLUSIVE or, for an alarm that did not fire, NO ALARM."""
    reason: str
    """One sentence in plain words."""
    samples_to_decide: int | None = None
    """For INCONCLUSIVE: about how many samples in all would decide it."""


@dataclass(frozen=True)
class Verdict:
    """The answer, and why."""

    decision: str
    """PASS, DRIFT, INCONCLUSIVE or INVALID."""
    reasons: tuple[str, ...]
    """Plain sentences, the decisive ones first."""
    judgements: tuple[Judgement, ...] = ()
    """One per limit."""
    policy: str = "default"
    """Name of the policy."""
    settings: tuple[Setting, ...] = field(default=(), compare=False)
    """What may be changed where nothing is judged; for the host of the run alone, so no report on disk has it."""

    @property
    def exit_code(self) -> int:
        """0 PASS, 1 DRIFT, 3 INCONCLUSIVE, 4 INVALID."""
        return EXIT_CODES[self.decision]

    def worded(self, word: Callable[[Setting], str]) -> tuple[str, ...]:
        """Return the reasons, the first with a host's words for the settings; see `with_words`."""
        return tuple(with_words(reason, self.settings, word) for reason in self.reasons[:1]) + self.reasons[1:]


def worst(decisions: Iterable[str]) -> str:
    """Return the decision that several LoRAs have together."""
    seen = set(decisions)
    return next((decision for decision in WORST_FIRST if decision in seen), INVALID)


def invalid(reason: str, *settings: Setting) -> Verdict:
    """Return the verdict for a run whose numbers would mean nothing, and what may be changed."""
    return Verdict(INVALID, (reason,), settings=settings)


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
    return verdict.decision == _combine([j.decision for j in verdict.judgements])


def judge(measurements: Mapping[str, Measurement], policy: Policy | None = None) -> Verdict:
    """Return the verdict: DRIFT if any limit is broken, PASS if every one holds, otherwise INCONCLUSIVE.

    An alarm that did not fire is no evidence: where nothing else is judged, the verdict is INCONCLUSIVE, as it is where
    nothing at all is. Limits whose metric was not run, or had no such number, are skipped and named. Nothing measured
    is INVALID.
    """
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


def damaged(verdict: Verdict, measurements: Mapping[str, Measurement]) -> tuple[str, ...]:
    """Return what is named by the limits that are broken, such as a class, each once."""
    broken = (j for j in verdict.judgements if j.decision == DRIFT)
    names = (subject(measurements, j.metric, j.estimate) for j in broken)
    return tuple(dict.fromkeys(name for name in names if name))


def subject(measurements: Mapping[str, Measurement], metric: str, estimate: str) -> str:
    """Return what an estimate is of, such as the worst class; "" where that is the whole, or nothing says it."""
    known = quantity(estimate)
    if known is None or not known.names or metric not in measurements:
        return ""
    return inert(str(measurements[metric].facts.get(known.names, "")), 100)


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
    reason = _reason(limit, estimate, decision, more)
    name = subject(measurements, limit.metric, limit.estimate)
    if name and decision in (DRIFT, INCONCLUSIVE):
        reason = f"{name}: {reason[:1].lower()}{reason[1:]}"
    return Judgement(limit.metric, limit.estimate, limit.limit, limit.test, decision, reason, more)


def _decide(estimate: Estimate, limit: Limit) -> str:
    seen = size(estimate, limit.estimate)
    if seen.low > limit.limit:
        return DRIFT
    if limit.test == "alarm":
        return NO_ALARM
    return PASS if seen.high <= limit.limit else INCONCLUSIVE


def silence(estimate: Estimate, limit: Limit | Judgement) -> str:
    """Return what it means that an alarm did not fire: seldom that there is nothing to see."""
    seen = size(estimate, limit.estimate)
    if seen.value > limit.limit:
        return "above the limit, but not beyond chance: too few samples to tell"
    if seen.high > limit.limit:
        return "within the limit, but its interval reaches above: too few samples to tell"
    return "within the limit with its whole interval"


_FAR = 1e6
"""Half-widths from a number to its limit, beyond which nobody draws as many samples as its square."""


def samples_to_decide(estimate: Estimate, limit: float) -> int | None:
    """Return about how many samples would bring the interval to one side of the limit; None if no number would."""
    gap = abs(limit - estimate.value)
    half = (estimate.high - estimate.low) / 2
    if gap == 0 or not math.isfinite(half) or half > _FAR * gap:
        return None
    return max(estimate.n + 1, math.ceil(estimate.n * (half / gap) ** 2))


def title(metric: str, estimate: str) -> str:
    """Return the plain-word name of an estimate."""
    known = quantity(estimate)
    return known.phrase if known and known.phrase else f"{metric} {estimate.replace('_', ' ')}"


_PLAIN = ("nats", "L*", "a*", "b*")
"""Units that are written as they are."""


def format_value(value: float, unit: str) -> str:
    """Return a number as people read it: shares as points, colours in Delta-E."""
    if not math.isfinite(value):
        return "unbounded"
    if unit == "share":
        return f"{100 * value:.1f} points"
    suffix = {"delta_e": " ΔE", "degrees": "°", "relative": " %"}.get(unit, f" {unit}" if unit in _PLAIN else "")
    return f"{value * (100 if unit == 'relative' else 1):.3g}{suffix}"


def _reason(limit: Limit, estimate: Estimate, decision: str, more: int | None) -> str:
    show = lambda v: format_value(v, estimate.unit)  # noqa: E731
    name = title(limit.metric, limit.estimate)
    floor = "" if estimate.floor is None else f"; noise floor {show(estimate.floor)}"
    interval = f"95 % interval {show(estimate.low)} to {show(estimate.high)}"
    seen = f"The {name} is {show(estimate.value)} ({interval}{floor})"
    at = show(limit.limit) + (" either way" if goes_either_way(limit.estimate) else "")
    if decision == DRIFT:
        return f"{seen}, above the limit of {at}."
    if decision == NO_ALARM:
        return f"No alarm at {at}: t{seen[1:]}, {silence(estimate, limit)}."
    if decision == PASS:
        return f"{seen}, within the limit of {at}."
    hint = f" About {more} samples in all would decide it." if more else ""
    return f"{seen}, which does not decide between below and above the limit of {at}.{hint}"
