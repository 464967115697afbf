"""Where it happened: classes, colours, timesteps and prompt groups as rows of small charts."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from ..measurement import Measurement, Part
from . import charts, words

FIRST_ROWS = 20
"""Rows shown before the reader asks for more."""


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


@dataclass(frozen=True)
class _Kind:
    title: str
    """Heading."""
    reading: str
    """How to read it."""
    worst_first: bool = False
    """Whether the lines are sorted, the largest first."""
    signed: bool = False
    """Whether both directions mean something: values get a sign, floors count both ways."""
    reference: str = ""
    """What a marked line for the overall value is called, or ""."""
    worse: str = "clearly worse"
    """What an interval above zero means."""
    better: str = "clearly better"
    """What an interval below zero means."""


_KINDS = {
    ("semantic", "class"): _Kind(
        "What it forgot: accuracy drop by class",
        "Points of accuracy that each class lost, worst first. To the right of zero is forgetting. The intervals "
        "hold for all classes together, so they are wide; a filled point means that zero lies outside.",
        worst_first=True,
    ),
    ("color", "color_term"): _Kind(
        "Where colours went",
        "Change of the share of image area that people would call by each basic colour term, in points: right "
        "of zero there is more of that colour with the LoRA, left of it less.",
        worst_first=True,
        signed=True,
        worse="clearly more",
        better="clearly less",
    ),
    ("color", "color_prompt"): _Kind(
        "When asked for a colour: drift by colour prompt",
        "Colour distance between the pictures of both models on prompts that ask for the colour.",
        worst_first=True,
        reference="overall",
    ),
    ("denoiser_drift", "timestep"): _Kind(
        "When the denoiser changed: drift by timestep",
        "High timesteps are nearly pure noise and settle layout and colour; low ones settle detail.",
        reference="overall",
    ),
    ("denoiser_drift", "prompt_group"): _Kind(
        "On which prompts: drift by prompt group",
        "None of these prompts names the concept.",
        worst_first=True,
        reference="overall",
    ),
}


def breakdowns(measurements: Mapping[str, Measurement]) -> list[Breakdown]:
    """Return the non-empty breakdowns of all metrics, in reading order."""
    known = {kind: rank for rank, kind in enumerate(_KINDS)}
    found = [(n, key) for n, m in measurements.items() for key, parts in m.breakdowns.items() if parts]
    ordered = sorted(found, key=lambda kind: (known.get(kind, len(known)), kind))
    return [_breakdown(name, key, measurements[name]) for name, key in ordered]


def _breakdown(name: str, key: str, measurement: Measurement) -> Breakdown:
    title = f"{words.metric_words(name).title}: by {words.humanise(key).lower()}"
    kind = _KINDS.get((name, key)) or _Kind(title, "")
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
        rows=[_row(part, kind, decimals, _chart(key, axis, lines)) for part in ordered],
        first=first_rows(len(ordered)),
        has_floor=any(p.estimate.floor is not None for p in parts),
        reference=words.quantity(overall, unit) if lines else "",
    )


def first_rows(count: int) -> int:
    """Return how many of `count` rows are shown at first; a few more are not worth asking for."""
    return FIRST_ROWS if count > FIRST_ROWS + 5 else count


def _extent(part: Part, signed: bool) -> list[float | None]:
    estimate = part.estimate
    both = [-estimate.floor] if signed and estimate.floor is not None else []
    return [estimate.low, estimate.value, estimate.high, estimate.floor, *both]


def _chart(key: str, axis: charts.Scale, lines: tuple[tuple[str, float], ...]) -> Callable[[Part, str], Markup]:
    if key == "color_term":
        return lambda part, state: charts.color_chart(part.estimate, axis, part.label.strip().lower())
    return lambda part, state: charts.row_chart(part.estimate, axis, state, lines)


def _row(part: Part, kind: _Kind, decimals: int, chart: Callable[[Part, str], Markup]) -> Row:
    estimate, compared = part.estimate, not kind.reference
    above, below = compared and estimate.low > 0, compared and estimate.high < 0
    state = "above" if above else "below" if below else "unclear" if compared else "plain"
    signed = kind.signed and math.isfinite(estimate.value)
    return Row(
        label=part.label,
        value=words.number(estimate.value, estimate.unit, signed, decimals),
        interval=words.interval(estimate.low, estimate.high, estimate.unit, signed, decimals),
        clear=kind.worse if above else kind.better if below else "",
        chart=chart(part, state),
    )
