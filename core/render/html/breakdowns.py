"""Where it happened: classes, colours, timesteps and prompt groups as rows of small charts."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from ...metrics import metric as records
from ...metrics.measurement import Measurement, Part
from ...metrics.metric import all_metrics, known
from .. import words
from ..rows import first_rows
from . import charts


@dataclass(frozen=True)
class Row:
    """One line of a breakdown."""

    label: str
    """What it is about."""
    value: str
    """Point estimate without unit."""
    interval: str
    """95 % interval."""
    clear: str
    """In words, on which side of zero its interval lies; "" if it holds zero."""
    chart: Markup
    """The estimate on the shared axis."""


@dataclass(frozen=True)
class Breakdown:
    """One breakdown of one metric."""

    id: str
    """Anchor on the page."""
    title: str
    """Heading."""
    reading: str
    """How to read it."""
    unit: str
    """Unit of every number in it."""
    axis: Markup
    """Tick labels."""
    rows: list[Row]
    """Its lines, in the order they are shown."""
    first: int
    """Lines shown before the reader asks for more."""
    has_floor: bool
    """Whether any line has a noise floor."""
    reference: str
    """The overall value that is marked, or ""."""


def breakdowns(measurements: Mapping[str, Measurement]) -> list[Breakdown]:
    """Return the non-empty breakdowns of all metrics, in reading order, but for maps (`concept_map`)."""
    shown = [(metric.name, key) for metric in all_metrics() for key in metric.breakdowns]
    maps = {(metric.name, key) for metric in all_metrics() for key, kind in metric.breakdowns.items() if kind.grid}
    rank = {kind: place for place, kind in enumerate(shown)}
    found = [(n, key) for n, m in measurements.items() for key, parts in m.breakdowns.items() if parts]
    found = [kind for kind in found if kind not in maps]
    ordered = sorted(found, key=lambda kind: (rank.get(kind, len(rank)), kind))
    return [_breakdown(name, key, measurements[name]) for name, key in ordered]


def _breakdown(name: str, key: str, measurement: Measurement) -> Breakdown:
    metric = known(name)
    kind = None if metric is None else metric.breakdowns.get(key)
    if kind is None:
        kind = records.Breakdown(f"{words.metric_words(name).title}: by {words.humanise(key).lower()}")
    parts, unit = measurement.breakdowns[key], measurement.breakdowns[key][0].estimate.unit
    ordered = sorted(parts, key=lambda p: -p.estimate.value) if kind.worst_first else list(parts)
    overall = measurement.estimates[measurement.headline].value
    lines = ((kind.reference, overall),) if kind.reference else ()
    extent = [v for p in parts for v in _extent(p, kind.signed)]
    axis = charts.scale([*extent, *(value for _, value in lines)])
    decimals = words.decimals_of([p.estimate.value for p in parts], unit)
    return Breakdown(
        id=f"by-{words.slug(name)}-{words.slug(key)}",
        title=kind.title,
        reading=kind.reading,
        unit=words.unit_word(unit),
        axis=charts.axis_chart(axis, unit, kind.signed),
        rows=[_row(part, kind, decimals, _chart(kind, axis, lines)) for part in ordered],
        first=first_rows(len(ordered)),
        has_floor=any(p.estimate.floor is not None for p in parts),
        reference=words.quantity(overall, unit) if lines else "",
    )


def _extent(part: Part, signed: bool) -> list[float | None]:
    estimate = part.estimate
    both = [-estimate.floor] if signed and estimate.floor is not None else []
    return [estimate.low, estimate.value, estimate.high, estimate.floor, *both]


def _chart(
    kind: records.Breakdown, axis: charts.Scale, lines: tuple[tuple[str, float], ...]
) -> Callable[[Part, str], Markup]:
    if kind.swatches:
        return lambda part, state: charts.color_chart(part.estimate, axis, part.label.strip().lower())
    return lambda part, state: charts.row_chart(part.estimate, axis, state, lines)


def _row(part: Part, kind: records.Breakdown, decimals: int, chart: Callable[[Part, str], Markup]) -> Row:
    estimate = part.estimate
    state = "plain" if kind.reference or not kind.worse else charts.against_zero(estimate)
    signed = kind.signed and math.isfinite(estimate.value)
    return Row(
        label=part.label,
        value=words.number(estimate.value, estimate.unit, signed, decimals),
        interval=words.interval(estimate.low, estimate.high, estimate.unit, signed, decimals),
        clear={"above": kind.worse, "below": kind.better}.get(state, ""),
        chart=chart(part, state),
    )
