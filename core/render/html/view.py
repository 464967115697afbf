"""The report as the HTML template wants it: every decision about words, order and charts made here."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...metrics.measurement import Estimate, Measurement
from ...verdict.learning import Learning
from ...verdict.outcome import outcome, summary
from ...verdict.report import ImagePair, Report
from ...verdict.size import limits
from ...verdict.verdict import DRIFT, INCONCLUSIVE, INVALID, NO_ALARM, PASS, Judgement, silence
from .. import words
from ..heat_map import Part, by_component, relative_heat_map
from . import charts, images
from .breakdowns import Breakdown, breakdowns
from .concept_map import ConceptMap, concept_maps
from .prompt_table import PromptTable, prompt_table

FIRST_PAIRS = 12
"""Pairs shown before the reader asks for more."""
STATES = {PASS: "pass", DRIFT: "drift", INCONCLUSIVE: "inconclusive", INVALID: "invalid", NO_ALARM: "silent"}
"""Decision -> CSS class."""


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


@dataclass(frozen=True)
class Card:
    """One metric."""

    id: str
    """Anchor on the page."""
    metric: str
    """Registry name."""
    version: int
    """Version of the definition."""
    words: words.MetricWords
    """What it asks and how to read it."""
    headline: Number
    """The number that is shown first."""
    judged: list[Number]
    """Other numbers that have a limit."""
    others: list[Number]
    """Numbers without a limit."""
    facts: list[tuple[str, str]]
    """Settings and side results."""
    changes: list[str]
    """What clearly went one way, in words."""

    @property
    def wide(self) -> bool:
        """Whether it has more to show than one column holds."""
        return bool(self.judged)


@dataclass(frozen=True)
class Pair:
    """One image pair; `base` and `tuned` are None where the files are missing."""

    rank: int
    """1 is the most changed."""
    prompt: str
    """Prompt of both images."""
    seed: int
    """Seed of both images."""
    change: str
    """Colour distance in Delta-E."""
    base: images.Picture | None
    """The base's image."""
    tuned: images.Picture | None
    """The tuned model's image."""


@dataclass(frozen=True)
class Learned:
    """What a training learned."""

    reasons: list[str]
    """What was seen, and what would change it."""
    numbers: list[Number]
    """Fidelity, retrieval and copies."""
    facts: list[tuple[str, str]]
    """What was compared with what."""


@dataclass(frozen=True)
class View:
    """Everything on the page."""

    report: Report
    """The report itself."""
    state: str
    """CSS class of the verdict."""
    symbol: str
    """Mark of the verdict."""
    sentence: str
    """What the verdict means."""
    outcome: str
    """Verdict, with what a training learned before it."""
    summary: str
    """Of a training, how much was learned and kept; "" after an audit alone."""
    reasons: list[tuple[str, str]]
    """Each reason after the CSS class of the decision that it is about."""
    learned: Learned | None
    """What a training learned."""
    cards: list[Card]
    """One per metric."""
    breakdowns: list[Breakdown]
    """One per non-empty breakdown."""
    prompts: PromptTable | None
    """Every prompt with its numbers."""
    maps: list[ConceptMap]
    """Maps of concepts."""
    pairs: list[Pair]
    """Image pairs, the most changed first."""
    first_pairs: int
    """Pairs shown before the reader asks for more."""
    audited: list[tuple[str, str]]
    """Facts about base and LoRA."""
    blocks: list[Part]
    """Where the change sits, one heat map per component."""
    run: list[tuple[str, list[tuple[str, str]]]]
    """Sections of what was run, each with its rows."""


def view(report: Report, folder: Path) -> View:
    """Return the page's content; image files are read from the report's folder."""
    decision = words.shown_decision(report)
    names = sorted(report.measurements, key=words.metric_order)
    return View(
        report=report,
        state=STATES.get(decision, "none"),
        symbol=words.SYMBOLS.get(decision, "–"),
        sentence=words.meaning(report),
        outcome=outcome(report),
        summary=summary(report),
        reasons=[
            (STATES.get(words.decision_of(reason, report.verdict), "none"), reason) for reason in report.verdict.reasons
        ],
        learned=_learned(report.learning),
        cards=[_card(name, report.measurements[name], report.verdict.judgements) for name in names],
        breakdowns=breakdowns(report.measurements),
        prompts=prompt_table(report),
        maps=concept_maps(report.measurements),
        pairs=[_pair(pair, folder, rank) for rank, pair in enumerate(report.pairs)],
        first_pairs=FIRST_PAIRS,
        audited=_audited(report),
        blocks=by_component(relative_heat_map(report.adapter.blocks)),
        run=_run(report),
    )


def _learned(learning: Learning | None) -> Learned | None:
    if learning is None:
        return None
    facts = [(words.humanise(key), words.fact(value)) for key, value in learning.facts.items()]
    numbers = [number(key, estimate) for key, estimate in learning.estimates.items()]
    return Learned(list(learning.reasons), numbers, [("Definition", f"version {learning.version}"), *facts])


def _card(name: str, measurement: Measurement, judgements: Iterable[Judgement]) -> Card:
    judged = {j.estimate: j for j in judgements if j.metric == name}
    numbers = {key: number(key, e, judged.get(key)) for key, e in measurement.estimates.items()}
    headline = numbers.pop(measurement.headline)
    return Card(
        id="metric-" + words.slug(name),
        metric=name,
        version=measurement.version,
        words=words.metric_words(name),
        headline=headline,
        judged=[shown for key, shown in numbers.items() if key in judged],
        others=[shown for key, shown in numbers.items() if key not in judged],
        facts=[(words.humanise(key), words.fact(value)) for key, value in measurement.facts.items()],
        changes=words.clear_changes(measurement),
    )


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
    if judgement is None or not judgement.samples_to_decide:
        return ""
    return f"About {judgement.samples_to_decide:,} samples in all would decide it."


def _spoken(key: str, estimate: Estimate, judgement: Judgement | None) -> str:
    unit = estimate.unit
    text = f"{words.estimate_title(key)}: {words.quantity(estimate.value, unit, key)}, "
    text += f"95 % interval {words.interval(estimate.low, estimate.high, unit)}"
    if estimate.floor is not None:
        text += f", noise floor {words.floor_number(estimate.floor, unit)}"
    if judgement is not None:
        text += f", limit {words.either_way(judgement)}{words.number(judgement.limit, unit)}"
    return text + "."


def _pair(pair: ImagePair, folder: Path, rank: int) -> Pair:
    base, tuned = images.embed_pair(pair, folder, rank) or (None, None)
    return Pair(rank + 1, pair.prompt, pair.seed, words.number(pair.change, decimals=1), base, tuned)


def _audited(report: Report) -> list[tuple[str, str]]:
    adapter = report.adapter
    modules = f"{adapter.matched:,} matched"
    modules += f", {adapter.unmatched:,} unmatched" if adapter.unmatched else ""
    rows = [
        ("LoRA", adapter.name),
        ("Strength", f"{adapter.strength:g}"),
        ("Algorithm", f"{adapter.algorithm}, {adapter.format} format"),
        ("Made for", adapter.family),
        ("Modules changed", modules),
        ("Size of the change", f"{words.number(adapter.delta_norm, 'relative')} % of the weights it changes"),
    ]
    rows += [(words.humanise(key), value) for key, value in adapter.details.items()]
    rows.append(("SHA-256", _short(adapter.sha256)))
    base = [
        ("Base", report.base.name),
        ("Base family", report.base.family),
        ("Base digest", _short(report.base.digest)),
    ]
    return [*base, *rows]


def _short(digest: str) -> str:
    return digest if len(digest) <= 16 else digest[:12] + "…"


def _run(report: Report) -> list[tuple[str, list[tuple[str, str]]]]:
    digests = {"Plan digest": report.plan_digest, "Base digest": report.base.digest}
    digests["LoRA SHA-256"] = report.adapter.sha256
    sections = [
        ("Plan", flatten(report.plan)),
        ("Policy", _policy(report)),
        ("Environment", flatten(report.environment)),
        ("Time", [timing(key, value) for key, value in report.timing.items()]),
        ("Cost in UNet rows", flatten(report.cost)),
        ("Digests", flatten(digests)),
    ]
    return [(title, rows) for title, rows in sections if rows]


def _policy(report: Report) -> list[tuple[str, str]]:
    rows = [("Name", report.verdict.policy)]
    for judgement in report.verdict.judgements:
        unit = _unit(report, judgement)
        limit = words.limit(judgement, unit)
        rows.append((words.estimate_title(judgement.estimate), f"{limit} ({judgement.test})"))
    return rows


def _unit(report: Report, judgement: Judgement) -> str:
    measurement = report.measurements.get(judgement.metric)
    estimate = measurement.estimates.get(judgement.estimate) if measurement else None
    return estimate.unit if estimate else ""


def timing(key: str, value: float | str) -> tuple[str, str]:
    """Return a time or a time span as a row."""
    title = "Duration" if key == "seconds" else words.humanise(key)
    spans = isinstance(value, (int, float)) and math.isfinite(value)
    return title, words.duration(float(value)) if spans else words.fact(value)


def flatten(data: Mapping[str, Any], prefix: str = "", depth: int = 0) -> list[tuple[str, str]]:
    """Return nested plain data as (path, text) rows."""
    rows: list[tuple[str, str]] = []
    for key, value in data.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and depth < 4:
            rows += flatten(value, f"{path}.", depth + 1)
        elif isinstance(value, (list, tuple)):
            rows.append((path, "; ".join(words.fact(v) for v in value[:50]) or words.MISSING))
        else:
            rows.append((path, words.fact(value)))
    return rows
