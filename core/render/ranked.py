"""The damage map as lists, worst first: for hosts that show no page, such as a terminal or a node's panel."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..metrics.measurement import Measurement, Part
from ..metrics.metric import Breakdown, Metric, all_metrics

LINES = 5
"""Lines of a list: the report's page has the others."""
MOST, LEAST = "Moved most", "Moved least"
"""What the ends of a map are called."""


@dataclass(frozen=True)
class Ranked:
    """Some lines of a breakdown, with what they are."""

    title: str
    """What they have in common."""
    parts: tuple[Part, ...]
    """At most LINES of them."""


def worst_first(parts: Iterable[Part]) -> list[Part]:
    """Return the lines that are above zero, the largest first."""
    return sorted((part for part in parts if part.estimate.value > 0), key=lambda part: -part.estimate.value)


def leading(kind: Breakdown, parts: Iterable[Part]) -> list[Part]:
    """Return the LINES of a breakdown to be seen first, of those above zero."""
    return ([part for part in parts if part.estimate.value > 0] if kind.in_order else worst_first(parts))[:LINES]


def least(parts: Iterable[Part]) -> list[Part]:
    """Return the lines that moved least, the smallest first; what is no number moved, and nobody knows how far."""
    return sorted((p for p in parts if math.isfinite(p.estimate.value)), key=lambda part: part.estimate.value)[:LINES]


def ranked(measurements: Mapping[str, Measurement]) -> list[Ranked]:
    """Return what the maps among the breakdowns say: what is damaged, what moved most of the others, and least."""
    found = []
    for metric in all_metrics():
        measurement = measurements.get(metric.name)
        if measurement is not None and any(kind.grid for kind in metric.breakdowns.values()):
            found += _lists(metric, measurement.breakdowns)
    return [each for each in found if each.parts]


def _lists(metric: Metric, breakdowns: Mapping[str, tuple[Part, ...]]) -> Iterator[Ranked]:
    worst = [
        Ranked(kind.in_terminal, tuple(leading(kind, breakdowns.get(key, ()))))
        for key, kind in metric.breakdowns.items()
        if kind.in_terminal
    ]
    yield from worst
    for cells in (breakdowns.get(key, ()) for key, kind in metric.breakdowns.items() if kind.grid):
        if not any(each.parts for each in worst):
            yield Ranked(MOST, tuple(worst_first(cells)[:LINES]))
        yield Ranked(LEAST, tuple(least(cells)))
