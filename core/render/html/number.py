"""An estimate in words and as a chart, and decisions by their number, as every page shows them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from ...metrics.measurement import Estimate
from ...verdict.reasons import deciding, silence
from ...verdict.size import limits
from ...verdict.verdict import DRIFT, INCONCLUSIVE, INVALID, NO_ALARM, PASS, WORST_FIRST, Judgement
from .. import words
from . import charts

STATES = {PASS: "pass", DRIFT: "drift", INCONCLUSIVE: "inconclusive", INVALID: "invalid", NO_ALARM: "silent"}
"""Decision -> CSS class."""


@dataclass(frozen=True)
class Count:
    """How many audits came to a decision."""

    decision: str
    state: str
    """Its CSS class."""
    number: int


def counts(decisions: Iterable[str]) -> list[Count]:
    """Return how many there are of each decision, the worst first."""
    found = Counter(decisions)
    return [Count(decision, STATES[decision], found[decision]) for decision in WORST_FIRST if found[decision]]


@dataclass(frozen=True)
class Number:
    """One estimate of a metric."""

    title: str
    """Short name."""
    value: str
    """Point estimate with its unit."""
    interval: str
    """95 % interval."""
    floor: str
    """Noise floor with its unit, or ""."""
    limit: str
    """Limit with its unit, or ""."""
    limit_word: str
    """"limit" or "alarm"."""
    n: int
    """Independent samples behind it."""
    decision: str
    """Decision of its limit, or "" if it has none."""
    state: str
    """CSS class of the decision."""
    hint: str
    """How many samples would decide it, what an alarm's silence means, or ""."""
    chart: Markup
    """The estimate against floor and limit."""


def number(
    key: str, estimate: Estimate, judgement: Judgement | None = None, axis: charts.Scale | None = None
) -> Number:
    """Return one estimate as the page shows it; its chart has an axis of its own unless one is given."""
    unit, decision = estimate.unit, judgement.decision if judgement else ""
    word = "alarm" if judgement and judgement.test == "alarm" else "limit"
    state = STATES.get(decision, "none")
    return Number(
        title=words.estimate_title(key),
        value=words.quantity(estimate.value, unit, key),
        interval=words.interval(estimate.low, estimate.high, unit),
        floor="" if estimate.floor is None else words.floor(estimate.floor, unit, key),
        limit=words.limit(judgement, unit) if judgement else "",
        limit_word=word,
        n=estimate.n,
        decision=decision,
        state=state,
        hint=hint(estimate, judgement),
        chart=charts.estimate_chart(
            estimate, limits(judgement) if judgement else (), word, state, _spoken(key, estimate, judgement), axis
        ),
    )


def hint(estimate: Estimate, judgement: Judgement | None) -> str:
    """Return what a decision leaves open: how many samples would close it, what an alarm's silence means, or ""."""
    if judgement is not None and judgement.decision == NO_ALARM:
        silent = silence(estimate, judgement)
        return f"{silent[:1].upper()}{silent[1:]}."
    return deciding(estimate, judgement.samples_to_decide) if judgement is not None else ""


def _spoken(key: str, estimate: Estimate, judgement: Judgement | None) -> str:
    unit = estimate.unit
    text = f"{words.estimate_title(key)}: {words.quantity(estimate.value, unit, key)}, "
    text += f"95 % interval {words.interval(estimate.low, estimate.high, unit)}"
    if estimate.floor is not None:
        text += f", noise floor {words.floor_number(estimate.floor, unit)}"
    if judgement is not None:
        text += f", limit {words.either_way(judgement)}{words.number(judgement.limit, unit)}"
    return text + "."
