"""Plain words and numbers that the terminal and the HTML report share."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..text import inert
from ..verdict import DRIFT, INCONCLUSIVE, INVALID, NO_ALARM, PASS, Verdict

MISSING = "–"
"""Shown where there is no number."""


@dataclass(frozen=True)
class Metric:
    """What a reader needs to know about a metric."""

    title: str
    """Short name."""
    question: str
    """What it asks, in plain words."""
    reading: str
    """How to read its number."""


METRICS = {
    "semantic": Metric(
        "Knowledge",
        "Does the model still know other things?",
        "The model itself names what labelled images show, before and after. The drop counts the answers lost "
        "on the same images. The margin shift is the change of its confidence in the right answer: below zero "
        "means less sure, and it shows damage before answers flip.",
    ),
    "denoiser_drift": Metric(
        "Denoiser",
        "Did the model change where it should not?",
        "How much of its prediction changed on prompts that do not name the concept: the squared change relative "
        "to the squared prediction. Zero means that the base is untouched there.",
    ),
    "color": Metric(
        "Colours",
        "Did colours move?",
        "Mean distance between the colours of both images of a pair (color drift index), in ΔE units of human "
        "colour vision: about 2.3 is just noticeable side by side, 10 is plain at a glance.",
    ),
    "kid": Metric(
        "Texture and content",
        "Did the look of images change as a whole?",
        "Distance between the image statistics of both models (KID), also relative to how much the base's own images "
        "differ from one another, which reads alike for every feature network. Zero means none. It can stay near "
        "zero while single classes break, so never judge by it alone.",
    ),
    "fidelity": Metric(
        "Same picture",
        "Same prompt, same seed: how different is the picture?",
        "Feature similarity of both images of a pair.",
    ),
    "diversity": Metric(
        "Variety",
        "Did variety within a prompt shrink?",
        "Mean distance between images of one prompt, with the LoRA relative to the base.",
    ),
    "concept": Metric(
        "Concept",
        "Did it learn what it was meant to?",
        "Similarity of generated images to reference images of the concept.",
    ),
}
"""Metric name -> words, in the order of the report. A metric without an entry is shown under its own name."""

_ESTIMATES = {
    "accuracy_base": "Accuracy, base",
    "accuracy_tuned": "Accuracy, LoRA",
    "accuracy_drop": "Accuracy drop",
    "worst_class_drop": "Worst class drop",
    "margin_shift": "Margin shift",
    "drift": "Denoiser drift",
    "cdi": "Colour drift",
    "kid_relative": "KID / spread",
    "kid": "KID",
}
_LEVELS = frozenset({"accuracy_base", "accuracy_tuned"})
_UNITS = {"share": "points", "relative": "%", "delta_e": "ΔE", "nats": "nats", "": ""}

SYMBOLS = {PASS: "✓", DRIFT: "✗", INCONCLUSIVE: "?", INVALID: "!", NO_ALARM: MISSING}
"""A mark beside each decision, so that colour never carries it alone."""

SENTENCES = {
    PASS: "Everything that was judged stays within its limit.",
    DRIFT: "The LoRA changed the model more than the limits allow.",
    INCONCLUSIVE: "The samples do not decide between harmless and harmful.",
    INVALID: "The numbers would mean nothing, so nothing is judged.",
}
"""Decision -> what it means in one sentence."""


def decision_of(reason: str, verdict: Verdict) -> str:
    """Return the decision that a reason of the verdict is about: its limit's own, or the verdict's."""
    return next((j.decision for j in verdict.judgements if j.reason == reason), verdict.decision)


def metric_words(name: str) -> Metric:
    """Return the words for a metric, known or not."""
    return METRICS.get(name) or Metric(humanise(name), humanise(name), "")


def metric_order(name: str) -> tuple[int, str]:
    """Return the sort key that puts known metrics first, in reading order."""
    order = list(METRICS)
    return (order.index(name) if name in order else len(order), name)


def estimate_title(name: str) -> str:
    """Return the short name of an estimate."""
    return _ESTIMATES.get(name) or humanise(name)


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
    """Return the shown unit; an accuracy is a percentage, a change of it is points."""
    if unit == "share" and estimate in _LEVELS:
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
    word = unit_word(unit, estimate)
    text = number(value, unit, signed)
    return f"{text} {word}" if word and text != MISSING else text


def interval(low: float, high: float, unit: str = "", signed: bool = False, decimals: int | None = None) -> str:
    """Return an interval in words; an open end says so."""
    if math.isinf(low) and math.isinf(high):
        return "unbounded"
    return f"{number(low, unit, signed, decimals)} to {number(high, unit, signed, decimals)}"


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
