"""A few LoRAs in columns: the same numbers, classes and pictures in one row each, on common scales."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from ....metrics.measurement import Part
from ....metrics.metric import all_metrics
from ....verdict.comparison import Compared, common_pairs, compare, incomparable
from ....verdict.report import ImagePair, Report
from ....verdict.size import limits
from ....verdict.verdict import Judgement
from ... import words
from ...audited import Audited, Key, estimate_of, headlines, judgement_of
from ...compared import told
from ...rows import first_rows
from .. import charts, images
from ..number import STATES, Number, number

FIRST_PAIRS, MOST_PAIRS = 8, 24
"""Rows of pictures shown before the reader asks for more, and at all."""
_ROW_WIDTH = 1280
"""Pixels that the pictures of a row are embedded with, in all."""


@dataclass(frozen=True)
class Column:
    """One LoRA."""

    number: int
    """Its number on the page, from 1."""
    name: str
    """Its name."""
    decision: str
    """Verdict, with what was learned before it."""
    state: str
    """Its CSS class."""
    sentence: str
    """What the verdict means."""
    facts: list[tuple[str, str]]
    """What tells it from its neighbours."""
    href: str
    """Its report relative to the page, or ""."""


@dataclass(frozen=True)
class Metric:
    """One number of every LoRA."""

    title: str
    """Short name."""
    question: str
    """What its metric asks."""
    limit: str
    """The limit that all LoRAs were held to, or ""."""
    limit_word: str
    """"limit" or "alarm"."""
    floor: str
    """The noise floor that all LoRAs share; "" where they differ or have none."""
    cells: list[Number | None]
    """One per LoRA; None where it was not measured."""
    difference: str
    """How far the first of two LoRAs is from the second, with its interval; "" of more, or where it is not known."""


@dataclass(frozen=True)
class ClassCell:
    """What one LoRA did to one class."""

    value: str
    """Drop in points."""
    interval: str
    """Simultaneous 95 % interval."""
    chart: Markup
    """Both on the common axis."""


@dataclass(frozen=True)
class ClassRow:
    """One class."""

    label: str
    """Its name."""
    cells: list[ClassCell | None]
    """One per LoRA; None where it was not measured."""


@dataclass(frozen=True)
class PairCell:
    """What one LoRA makes of one prompt and seed."""

    picture: images.Picture
    """The tuned model's image."""
    change: str
    """Colour distance to the base's image in Delta-E."""


@dataclass(frozen=True)
class PairRow:
    """One prompt and seed."""

    prompt: str
    """The prompt."""
    seed: int
    """The seed."""
    base: images.Picture
    """The base's image."""
    cells: list[PairCell | None]
    """One per LoRA; None where its report does not show this pair."""


@dataclass(frozen=True)
class SideBySide:
    """Everything that stands in columns."""

    columns: list[Column]
    """The LoRAs in the order they were named."""
    metrics: list[Metric]
    """Headline and judged numbers."""
    told: str
    """Which of two LoRAs is the milder, and in what; "" of more, and of those that cannot be compared."""
    classes: list[ClassRow]
    """Accuracy drop by class, the largest first."""
    class_axis: Markup
    """Tick labels of the classes' axis."""
    first_classes: int
    """Classes shown before the reader asks for more."""
    pairs: list[PairRow]
    """Pictures, those that most LoRAs have and that change most first."""
    first_pairs: int
    """Pairs shown before the reader asks for more."""


def side_by_side(audits: Sequence[Audited], hrefs: Sequence[str]) -> SideBySide:
    """Return the columns of a few measured LoRAs, whose reports are at `hrefs`."""
    measured = [(audit, audit.report) for audit in audits if audit.report]
    reports = [report for _, report in measured]
    classes, axis = _classes(reports)
    keys, titles = headlines(reports), [audit.title for audit, _ in measured]
    comparison = compare(reports, keys) if len(reports) == 2 and not incomparable(reports, titles) else None
    compared = {} if comparison is None else {each.key: each for each in comparison.numbers}
    return SideBySide(
        columns=[_column(i + 1, a, r, hrefs[i]) for i, (a, r) in enumerate(measured)],
        metrics=[_metric(key, reports, compared.get(key)) for key in keys],
        told="" if comparison is None else told(comparison, titles),
        classes=classes,
        class_axis=axis,
        first_classes=first_rows(len(classes)),
        pairs=_pairs([(report, audit.folder) for audit, report in measured]),
        first_pairs=FIRST_PAIRS,
    )


def _column(place: int, audit: Audited, report: Report, href: str) -> Column:
    facts = [
        ("Strength", f"{report.adapter.strength:g}"),
        ("Size of the change", words.quantity(report.adapter.delta_norm, "relative")),
        ("Base", report.base.name),
    ]
    sentence = words.SENTENCES.get(audit.decision, "")
    state = STATES.get(audit.shown_decision, "none")
    return Column(place, audit.title, audit.outcome, state, sentence, facts, href)


def _metric(key: Key, reports: Sequence[Report], compared: Compared | None) -> Metric:
    seen = [(estimate_of(report, key), judgement_of(report, key)) for report in reports]
    ends = [end for _, j in seen if j for end in limits(j)]
    axis = charts.tight_scale(charts.extent([e for e, _ in seen if e], ends))
    cells = [number(key[1], e, j, axis) if e else None for e, j in seen]
    shown = [cell for cell in cells if cell]
    return Metric(
        title=words.estimate_title(key[1]),
        question=words.metric_words(key[0]).question,
        limit=_common(cell.limit for cell in shown),
        limit_word=_word(j for _, j in seen),
        floor=_common(cell.floor for cell in shown),
        cells=cells,
        difference="" if compared is None or compared.difference is None else words.difference(compared.difference),
    )


def _common(texts: Iterable[str]) -> str:
    """Return the text that all share, "" if they differ."""
    different = set(texts)
    return different.pop() if len(different) == 1 else ""


def _word(judgements: Iterable[Judgement | None]) -> str:
    return "alarm" if any(j and j.test == "alarm" for j in judgements) else "limit"


def _classes(reports: Sequence[Report]) -> tuple[list[ClassRow], Markup]:
    """Return the classes, the one that lost most with any LoRA first, and their axis."""
    lost = [{part.label: part for part in _class_parts(report)} for report in reports]
    parts = [part for drops in lost for part in drops.values()]
    if not parts:
        return [], Markup()
    estimates = [part.estimate for part in parts]
    axis = charts.tight_scale(charts.extent(estimates, []))
    worst = {part.label: -math.inf for part in parts}
    for part in parts:
        worst[part.label] = max(worst[part.label], part.estimate.value)
    rows = [ClassRow(label, [_class_cell(d.get(label), axis) for d in lost]) for label in worst]
    rows.sort(key=lambda row: -worst[row.label])
    return rows, charts.axis_chart(axis, estimates[0].unit)


def _class_parts(report: Report) -> tuple[Part, ...]:
    lines = [
        report.measurements[metric.name].breakdowns.get(key, ())
        for metric in all_metrics()
        for key, breakdown in metric.breakdowns.items()
        if breakdown.in_columns and metric.name in report.measurements
    ]
    return lines[0] if lines else ()


def _class_cell(part: Part | None, axis: charts.Scale) -> ClassCell | None:
    if part is None:
        return None
    e = part.estimate
    value = words.number(e.value, e.unit, decimals=1)
    interval = words.interval(e.low, e.high, e.unit, decimals=1)
    return ClassCell(value, interval, charts.row_chart(e, axis, charts.against_zero(e)))


def _pairs(places: Sequence[tuple[Report, Path | None]]) -> list[PairRow]:
    """Return the pictures that at least two reports show, those that most have and that change most first."""
    side = max(images.SMALL, _ROW_WIDTH // (len(places) + 1))
    rows = common_pairs([report for report, _ in places])[:MOST_PAIRS]
    drawn = (_pair_row(row, [folder for _, folder in places], side) for row in rows)
    return [row for row in drawn if row]


def _pair_row(row: Sequence[ImagePair | None], folders: Sequence[Path | None], side: int) -> PairRow | None:
    """Return a row of pictures; None where the base's cannot be shown."""
    found = [(pair, folder) for pair, folder in zip(row, folders, strict=True) if pair and folder]
    bases = (images.embed(folder / pair.base, folder, side) for pair, folder in found)
    base = next((picture for picture in bases if picture), None)
    if base is None:
        return None
    cells = [_pair_cell(pair, folder, side) for pair, folder in zip(row, folders, strict=True)]
    return PairRow(found[0][0].prompt, found[0][0].seed, base, cells)


def _pair_cell(pair: ImagePair | None, folder: Path | None, side: int) -> PairCell | None:
    picture = images.embed(folder / pair.tuned, folder, side) if pair and folder else None
    return PairCell(picture, words.number(pair.change, decimals=1)) if pair and picture else None
