"""The damage map on the page: a cell for every concept, tables of the worst and of the untouched."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ...metrics.measurement import Measurement, Part
from ...metrics.metric import all_metrics
from .. import words

ROWS = 10
"""Lines of each table: the cells and the search have the rest."""

STEPS = (
    (0.1, "under 10 %"),
    (0.2, "10 to 20 %"),
    (1 / 3, "20 to 33 %"),
    (2 / 3, "33 to 67 %"),
    (math.inf, "67 % or more"),
)
"""End of each shade and what it is called; from a third on, which is the default limit, they are of another hue."""


@dataclass(frozen=True)
class Cell:
    """One concept."""

    x: int
    """Column."""
    y: int
    """Row."""
    shade: int
    """Which of STEPS."""
    label: str
    """The concept."""
    value: str
    """Its number with unit."""


@dataclass(frozen=True)
class ConceptMap:
    """The map of one breakdown."""

    id: str
    """Anchor on the page."""
    title: str
    """Heading."""
    reading: str
    """How to read it."""
    width: int
    """Cells of a row."""
    height: int
    """Rows."""
    cells: list[Cell]
    """Row by row."""
    legend: list[tuple[int, str, int]]
    """(shade, what it is called, how many concepts)."""
    worst: list[Cell]
    """The largest first."""
    untouched: list[Cell]
    """The smallest first."""


def concept_maps(measurements: Mapping[str, Measurement]) -> list[ConceptMap]:
    """Return the maps among the breakdowns; one whose width is not known or makes no sense is left out."""
    found = []
    for metric in all_metrics():
        measurement = measurements.get(metric.name)
        for key, kind in metric.breakdowns.items():
            parts = () if measurement is None else measurement.breakdowns.get(key, ())
            width = None if measurement is None else measurement.facts.get(kind.grid)
            if kind.grid and parts and isinstance(width, int) and 1 <= width <= len(parts):
                found.append(
                    _map(f"map-{words.slug(metric.name)}-{words.slug(key)}", kind.title, kind.reading, parts, width)
                )
    return found


def _map(anchor: str, title: str, reading: str, parts: tuple[Part, ...], width: int) -> ConceptMap:
    cells = [
        Cell(
            i % width,
            i // width,
            _shade(part.estimate.value),
            part.label,
            words.quantity(part.estimate.value, part.estimate.unit),
        )
        for i, part in enumerate(parts)
    ]
    order = sorted(range(len(parts)), key=lambda i: -_finite(parts[i].estimate.value))
    legend = [(i, name, sum(cell.shade == i for cell in cells)) for i, (_, name) in enumerate(STEPS)]
    return ConceptMap(
        anchor,
        title,
        reading,
        width,
        -(-len(parts) // width),
        cells,
        legend,
        worst=[cells[i] for i in order[:ROWS]],
        untouched=[cells[i] for i in reversed(order[-ROWS:])],
    )


def _shade(value: float) -> int:
    return next((i for i, (most, _) in enumerate(STEPS) if _finite(value) < most), len(STEPS) - 1)


def _finite(value: float) -> float:
    """Return a value to sort by: what is no number counts as the worst."""
    return value if math.isfinite(value) else math.inf
