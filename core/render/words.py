"""Plain words and numbers that the terminal and the HTML report share."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..metrics.measurement import Estimate, Measurement
from ..metrics.metric import Quantity, known
from ..metrics.metric import quantity as metric_quantity
from ..metrics.screening.moved import EVERYTHING
from ..text import inert
from ..verdict.judge import damaged
from ..verdict.learning import LEARNED, NOT_LEARNED, NOT_SHOWN, QUANTITIES
from ..verdict.part import left_unjudged_in
from ..verdict.reasons import LEAST_FLOOR
from ..verdict.report import Report
from ..verdict.size import Judged, goes_either_way
from ..verdict.verdict import DRIFT, INCONCLUSIVE, INVALID, NO_ALARM, PASS, Verdict

MISSING = "–"
"""Shown where there is no number."""


_UNITS = {"share": "points", "relative": "%", "delta_e": "ΔE", "degrees": "°", "nats": "nats", "": ""}

SYMBOLS = {PASS: "✓", DRIFT: "✗", INCONCLUSIVE: "?", INVALID: "!", NO_ALARM: MISSING}
"""A mark beside each decision, so that colour never carries it alone."""

SENTENCES = {
    PASS: "Everything that was judged stays within its limit.",
    DRIFT: "The LoRA changed the model more than the limits allow.",
    INCONCLUSIVE: "What was measured does not decide between harmless and harmful.",
    INVALID: "The numbers would mean nothing, so nothing is judged.",
}
"""Decision -> what it means in one sentence."""


_NAMED = 2
"""Damaged things in that sentence; the reasons below it have all."""

LEARNING = {
    LEARNED: "It draws its concept.",
    NOT_LEARNED: "It does not draw its concept.",
    NOT_SHOWN: "Whether it draws its concept is not shown.",
}
"""What a training learned -> what it means in one sentence."""


def meaning(report: Report) -> str:
    """Return what the verdict means, with what is damaged most, or of what a PASS says nothing.

    What was learned stands before it where that is known.
    """
    sentence = SENTENCES.get(report.verdict.decision, "")
    if names := damaged(report.verdict, report.measurements):
        where = "in everything" if names[0] == EVERYTHING else f"most of all {' and '.join(names[:_NAMED])}"
        sentence = f"{sentence[:-1]}, {where}."
    if unjudged := left_unjudged_in(report):
        sentence = f"{sentence} {not_judged(unjudged)}"
    return sentence if report.learning is None else f"{LEARNING.get(report.learning.decision, '')} {sentence}"


def asked_at(report: Report) -> str:
    """Return at which side the base was asked, such as ", asked at 512 px"; "" for the one that it was made for."""
    side = report.plan.get("resolution")
    return f", asked at {side} px" if isinstance(side, int) and side > 0 else ""


def not_judged(metrics: Iterable[str]) -> str:
    """Return in a sentence of what a PASS says nothing; see `left_unjudged`."""
    return f"Not judged: {', '.join(metric_words(name).title for name in metrics)}."


def shown_decision(report: Report) -> str:
    """Return the decision whose colour and mark a report gets; "" for a PASS in part, which gets none's.

    PASS is for what has learned its concept.
    """
    decision, learning = report.verdict.decision, report.learning
    if decision == PASS and learning is not None and learning.decision != LEARNED:
        return INCONCLUSIVE
    return "" if left_unjudged_in(report) else decision


def decision_of(reason: str, verdict: Verdict) -> str:
    """Return the decision that a reason of the verdict is about: its limit's own, or the verdict's without any limit.

    "" for what is said beside, such as what was not measured.
    """
    without = "" if verdict.judgements else verdict.decision
    return next((j.decision for j in verdict.judgements if j.reason == reason), without)


@dataclass(frozen=True)
class MetricWords:
    """What a reader needs to know about a metric; see `metrics.metric.Metric`."""

    title: str
    question: str
    reading: str = ""


def metric_words(name: str) -> MetricWords:
    """Return the words for a metric; one that is not known is shown under its own name."""
    metric = known(name)
    if metric is None:
        return MetricWords(humanise(name), humanise(name))
    return MetricWords(metric.title, metric.question, metric.reading)


def metric_order(name: str) -> tuple[float, str]:
    """Return the sort key that puts known metrics first, in reading order."""
    metric = known(name)
    return (math.inf if metric is None else metric.order, name)


def estimate_order(metric: str, name: str) -> tuple[float, str]:
    """Return the sort key that puts the estimates of a metric in the order in which it has them, unknown ones last."""
    found = known(metric)
    names = [] if found is None else list(found.quantities)
    return (names.index(name) if name in names else math.inf, name)


def estimate_title(name: str) -> str:
    """Return the short name of an estimate, known or not."""
    found = _quantity(name)
    return humanise(name) if found is None else found.title


def _quantity(estimate: str) -> Quantity | None:
    return metric_quantity(estimate) or QUANTITIES.get(estimate)


def humanise(key: str) -> str:
    """Return an identifier as words: "image_size" becomes "Image size"."""
    text = inert(str(key), 80).replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def slug(text: str) -> str:
    """Return a name that is safe as an HTML id or class."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:60].strip("-") or "x"


def scale_of(unit: str) -> float:
    """Return the factor from stored to shown values."""
    return 100.0 if unit in ("share", "relative") else 1.0


def unit_word(unit: str, estimate: str = "") -> str:
    """Return the shown unit; a share that is a level is a percentage, a change of it is points."""
    found = _quantity(estimate)
    if unit == "share" and found is not None and found.is_level:
        return "%"
    return _UNITS.get(unit, inert(unit, 20))


def number(value: float | None, unit: str = "", signed: bool = False, decimals: int | None = None) -> str:
    """Return a stored value as people read it, without its unit; `decimals` overrules three significant digits."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    shown = value * scale_of(unit)
    text = f"{shown:.{decimals}f}" if decimals is not None else _rounded(shown, unit)
    text = text[1:] if text.startswith("-") and not text.strip("-0.") else text
    sign = "+" if signed and shown > 0 and text.strip("0.") else ""
    return sign + text.replace("-", "−")


def _rounded(shown: float, unit: str) -> str:
    if unit == "share":
        return f"{shown:.1f}"
    return f"{shown:.3g}" if abs(shown) < 1000 else f"{shown:,.0f}"


def decimals_of(values: Iterable[float], unit: str) -> int:
    """Return how many decimals give the largest of several values three digits, so that a column lines up."""
    if unit == "share":
        return 1
    largest = max((abs(v) * scale_of(unit) for v in values if math.isfinite(v)), default=0.0)
    return 2 if largest == 0 else min(max(2 - math.floor(math.log10(largest)), 0), 6)


def tick(value: float, unit: str, signed: bool = False) -> str:
    """Return the label of an axis tick, with no more digits than it needs."""
    shown = round(value * scale_of(unit), 9) + 0.0
    return f"{'+' if signed and shown > 0 else ''}{shown:g}".replace("-", "−")


def quantity(value: float | None, unit: str = "", estimate: str = "", signed: bool = False) -> str:
    """Return a stored value with its unit."""
    return _with_unit(number(value, unit, signed), unit_word(unit, estimate))


def _with_unit(text: str, word: str) -> str:
    """Return a shown number with its unit; a degree sign stands close to it, as in the verdict's reasons."""
    if not word or text == MISSING:
        return text
    return f"{text}{word}" if word == "°" else f"{text} {word}"


def either_way(judged: Judged) -> str:
    """Return what stands before a limit that holds either way."""
    return "±" if goes_either_way(judged.estimate) else ""


def limit(judged: Judged, unit: str) -> str:
    """Return a limit with its unit; one that holds either way says so."""
    return either_way(judged) + quantity(judged.limit, unit, judged.estimate)


def floor_number(value: float | None, unit: str = "") -> str:
    """Return a noise floor without its unit; the digits of one that is all but zero say nothing."""
    if unit and value is not None and 0 < value * scale_of(unit) < LEAST_FLOOR:
        return f"<{LEAST_FLOOR:.4f}"
    return number(value, unit)


def floor(value: float | None, unit: str = "", estimate: str = "") -> str:
    """Return a noise floor with its unit; see `floor_number`."""
    return _with_unit(floor_number(value, unit), unit_word(unit, estimate))


def interval(low: float, high: float, unit: str = "", signed: bool = False, decimals: int | None = None) -> str:
    """Return an interval in words; an open end says so."""
    if math.isinf(low) and math.isinf(high):
        return "unbounded"
    return f"{number(low, unit, signed, decimals)} to {number(high, unit, signed, decimals)}"


def difference(estimate: Estimate) -> str:
    """Return by how much two numbers differ, with a sign, and the interval of that."""
    shown = quantity(estimate.value, estimate.unit, signed=True)
    return f"{shown} ({interval(estimate.low, estimate.high, estimate.unit, signed=True)})"


def clear_changes(measurement: Measurement) -> list[str]:
    """Return in words what clearly went one way, such as "12 % less saturated (10 to 14)"."""
    metric = known(measurement.metric)
    if metric is None:
        return []
    told = [
        _change(estimate, metric.quantities[key].more, metric.quantities[key].less)
        for key, estimate in measurement.estimates.items()
        if key in metric.quantities and metric.quantities[key].more
    ]
    for key, breakdown in metric.breakdowns.items():
        for part in measurement.breakdowns.get(key, ()):
            if part.label in breakdown.towards:
                more, less = breakdown.towards[part.label]
                turned = _change(part.estimate, f"towards {more}", f"towards {less}")
                told.append(turned and f"{part.label} {turned}")
    return [words for words in told if words]


def _change(estimate: Estimate, more: str, less: str) -> str:
    """Return the size of a change with its direction and interval; "" where it may have gone either way."""
    if estimate.low <= 0 <= estimate.high:
        return ""
    low, high = sorted((abs(estimate.low), abs(estimate.high)))
    size = quantity(abs(estimate.value), estimate.unit)
    return f"{size} {more if estimate.low > 0 else less} ({interval(low, high, estimate.unit)})"


def fact(value: object) -> str:
    """Return a setting or side result as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return " · ".join(_item(key, item) for key, item in list(value.items())[:20] if item != "")
    return inert(str(value), 300) if value not in (None, "") else MISSING


def _item(key: object, value: object) -> str:
    shown = fact(str(value) if isinstance(value, Mapping) else value)
    return shown if isinstance(value, str) else f"{inert(str(key), 40)} {shown}"


def duration(seconds: float) -> str:
    """Return a time span as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
