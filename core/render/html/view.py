"""The report as the HTML template wants it: every decision about words, order and charts made here."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...metrics.measurement import Measurement
from ...verdict.learning import Learning
from ...verdict.outcome import outcome, summary
from ...verdict.report import ImagePair, Report
from ...verdict.verdict import NO_ALARM, Judgement
from .. import words
from ..heat_map import Part, by_component, relative_heat_map
from . import images
from .breakdowns import Breakdown, breakdowns
from .concept_map import ConceptMap, concept_maps
from .facts import audited_rows, run_sections
from .number import STATES, Number, number
from .prompt_table import PromptTable, prompt_table

FIRST_PAIRS = 12
"""Pairs shown before the reader asks for more."""


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
    silent: list[str]
    """What is said of alarms that did not go off."""
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
    reasons = [(words.decision_of(reason, report.verdict), reason) for reason in report.verdict.reasons]
    names = sorted(report.measurements, key=words.metric_order)
    return View(
        report=report,
        state=STATES.get(decision, "none"),
        symbol=words.SYMBOLS.get(decision, "–"),
        sentence=words.meaning(report),
        outcome=outcome(report),
        summary=summary(report),
        reasons=[(STATES.get(about, "none"), reason) for about, reason in reasons if about != NO_ALARM],
        silent=[reason for about, reason in reasons if about == NO_ALARM],
        learned=_learned(report.learning),
        cards=[_card(name, report.measurements[name], report.verdict.judgements) for name in names],
        breakdowns=breakdowns(report.measurements),
        prompts=prompt_table(report),
        maps=concept_maps(report.measurements),
        pairs=[_pair(pair, folder, rank) for rank, pair in enumerate(report.pairs)],
        first_pairs=FIRST_PAIRS,
        audited=audited_rows(report),
        blocks=by_component(relative_heat_map(report.adapter.blocks)),
        run=run_sections(report),
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


def _pair(pair: ImagePair, folder: Path, rank: int) -> Pair:
    base, tuned = images.embed_pair(pair, folder, rank) or (None, None)
    return Pair(rank + 1, pair.prompt, pair.seed, words.number(pair.change, decimals=1), base, tuned)
