"""What of a report goes on one page: verdict, five numbers, what was forgotten most, what was audited. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..metrics.measurement import Estimate
from ..metrics.metric import all_metrics
from ..text import inert
from ..verdict.outcome import outcome, summary
from ..verdict.report import ImagePair, Report
from ..verdict.verdict import NO_ALARM, PASS
from . import words
from .audited import estimate_of, headlines, judgement_of
from .ranked import leading

NUMBERS, WORST = 5, 3
"""Numbers, and concepts and pairs, that are shown: as many as are read."""


@dataclass(frozen=True)
class Line:
    """One number."""

    title: str
    """Short name."""
    value: str
    """With its unit."""
    interval: str
    """Its 95 % interval."""
    limit: str
    """Its limit with the unit, or ""."""
    decision: str
    """What its limit says, or ""."""


@dataclass(frozen=True)
class Summary:
    """A report on one page; all text is inert."""

    lora: str
    """Name of the LoRA."""
    base: str
    """Name of the base."""
    outcome: str
    """Verdict, with what a training learned before it."""
    decision: str
    """Decision whose colour it gets."""
    sentences: tuple[str, ...]
    """What the verdict means, what was learned, and the first reason where it is not PASS."""
    numbers: tuple[Line, ...]
    """The numbers worth comparing."""
    points: tuple[str, ...]
    """What was forgotten most, and what clearly changed, a sentence each."""
    pairs: tuple[ImagePair, ...]
    """The pairs that changed most."""
    footer: str
    """Strength, plan and version."""


def summary_of(report: Report) -> Summary:
    """Return the summary of a report."""
    preset, strength = str(report.plan.get("preset", "")), f"strength {report.adapter.strength:g}"
    plan = f"plan {preset} {report.plan_digest[:8]}".replace("  ", " ") + words.asked_at(report)
    return Summary(
        lora=inert(report.adapter.name, 120),
        base=inert(report.base.name, 120),
        outcome=outcome(report),
        decision=words.shown_decision(report),
        sentences=tuple(inert(sentence, 600) for sentence in _sentences(report)),
        numbers=tuple(_numbers(report)),
        points=tuple(inert(point, 600) for point in _points(report)),
        pairs=tuple(replace(pair, prompt=inert(pair.prompt, 300)) for pair in _distinct(report.pairs)[:WORST]),
        footer=inert(f"{strength}, {plan}, OWF {report.environment.get('owf', '')}".rstrip(" ,"), 200),
    )


def _distinct(pairs: Sequence[ImagePair]) -> list[ImagePair]:
    """Return the most changed pair of each prompt, in order: three of one prompt show one thing three times."""
    first: dict[str, ImagePair] = {}
    for pair in pairs:
        first.setdefault(pair.prompt, pair)
    return list(first.values())


def _sentences(report: Report) -> list[str]:
    learned = summary(report)
    reasons = report.verdict.reasons[:1] if report.verdict.decision != PASS else ()
    return [words.meaning(report), *([f"{learned[:1].upper()}{learned[1:]}."] if learned else []), *reasons]


def _numbers(report: Report) -> list[Line]:
    found = []
    judged_first = sorted(headlines([report]), key=lambda key: judgement_of(report, key) is None)
    for key in judged_first[:NUMBERS]:
        estimate, judgement = estimate_of(report, key), judgement_of(report, key)
        assert estimate is not None, "headlines are measured"
        name, unit = key[1], estimate.unit
        limit = "" if judgement is None else words.limit(judgement, unit)
        decision = "" if judgement is None else judgement.decision
        value, interval = words.quantity(estimate.value, unit, name), words.interval(estimate.low, estimate.high, unit)
        found.append(Line(words.estimate_title(name), value, interval, limit, inert(decision, 30)))
    return found


def _points(report: Report) -> list[str]:
    points = []
    for metric in all_metrics():
        measurement = report.measurements.get(metric.name)
        if measurement is None:
            continue
        for key, breakdown in metric.breakdowns.items():
            if breakdown.in_terminal and not breakdown.signed:
                lost = leading(breakdown, measurement.breakdowns.get(key, ()))[:WORST]
                told = [_named(part.label, part.estimate) for part in lost]
                points += [f"{breakdown.in_terminal}: {', '.join(told)}"] if told else []
        if changes := words.clear_changes(measurement):
            points.append(f"{metric.title}: {', '.join(changes)}")
    return points


def _named(label: str, estimate: Estimate) -> str:
    ends = words.interval(estimate.low, estimate.high, estimate.unit)
    return f"{label} {words.quantity(estimate.value, estimate.unit)} ({ends})"


def mark(line: Line) -> str:
    """Return what is said of a number beside it: its limit and the decision."""
    if not line.limit:
        return ""
    word = "alarm" if line.decision == NO_ALARM else "limit"
    return f"{word} {line.limit}: {line.decision}"
