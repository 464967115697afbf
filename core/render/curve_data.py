"""The curves of a training as plain data, for panels. No torch."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..train.records import StepRecord

_MOST_POINTS = 400
"""Points of a curve: about the pixels of a panel."""


def curves(records: "Iterable[StepRecord]") -> dict[str, list[tuple[int, float]]]:
    """Return curve -> (step, value), at most about `_MOST_POINTS` of them, the last among them."""
    found: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        for name, value in values(record).items():
            found.setdefault(name, []).append((record.step, value))
    return {name: _thinned(points) for name, points in found.items()}


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    every = -(-len(points) // _MOST_POINTS)
    return points[(len(points) - 1) % every :: every]


def values(record: "StepRecord") -> dict[str, float]:
    """Return a step's value of every curve that it has one for."""
    found = {"loss": record.loss, **{f"{name} loss": value for name, value in record.terms.items()}}
    if record.drift is not None:
        found["drift"] = record.drift
    if "dc" in record.weights:
        found["dc weight"] = record.weights["dc"]
    return found


def targets(drift_budget: float) -> dict[str, float]:
    """Return the line that a curve is to stay under; a budget of 0 is none."""
    return {"drift": drift_budget} if drift_budget else {}
