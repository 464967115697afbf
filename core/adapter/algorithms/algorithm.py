"""What every algorithm can tell from shapes alone, and how it changes a weight."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import TYPE_CHECKING

from ...errors import AdapterError
from ...registry import records

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
Factors = Mapping[str, "Tensor"]
Change = Callable[["Tensor", Factors, float], "Tensor"]
"""From the base weight, the factors and the scale to what is added to the weight; all in one float type.

The result is a new tensor, which the caller may overwrite.
"""

ALWAYS_ALLOWED = frozenset({"alpha", "dora", "magnitude", "diff_b", "up_bias"})
"""Slots that may accompany any algorithm."""
MAX_WEIGHT = 2**30
"""Elements of the largest weight that is believed: four times the largest layer of any known model."""


@dataclass(frozen=True)
class Outline:
    """What the factors' shapes say about the layer they change; None where they say nothing."""

    out: int | None = None
    """Output features or channels."""
    fan_in: int | None = None
    """Elements of one output's weight: input channels times kernel size."""
    inputs: int | None = None
    """Input features or channels."""
    rank: int | None = None
    """Rank of the factorisation."""

    def misfit(self, shape: Shape) -> str | None:
        """Return why these factors cannot change a weight of `shape`; None when they can."""
        wanted = (self.out, self.fan_in, self.inputs)
        found = (shape[0], prod(shape[1:]), shape[1] if len(shape) > 1 else 1)
        for name, need, have in zip(("outputs", "weights per output", "inputs"), wanted, found, strict=True):
            if need is not None and need != have:
                return f"made for {need} {name}, the base has {have}"
        return None


@dataclass(frozen=True)
class Algorithm:
    """One way to write down the change of a weight."""

    name: str
    """Name shown in reports."""
    marks: frozenset[str]
    """Slots that only this algorithm has."""
    outline: Callable[[Shapes], Outline]
    """Checks the factors against each other by shape; raises AdapterError when they disagree."""
    change: Change
    """Computes what is added to the weight at strength 1, in any shape with its elements in order."""
    extras: frozenset[str] = frozenset()
    """Further slots it may have."""
    alpha_scales: bool = False
    """Whether alpha / rank multiplies the change (otherwise alpha has another meaning, or none)."""
    alpha_hides_root: bool = False
    """Whether LyCORIS writes alpha as given even if rank-stabilised; elsewhere it writes it times sqrt(rank)."""


def require(shapes: Shapes, *slots: str) -> None:
    """Raise AdapterError unless every slot is there and has at least one element."""
    missing = [slot for slot in slots if slot not in shapes]
    if missing:
        raise AdapterError(f"{', '.join(missing)} missing: the file is incomplete")
    empty = [slot for slot in slots if 0 in shapes[slot]]
    if empty:
        raise AdapterError(f"{', '.join(empty)} has no elements (rank 0)")


def matrix(shapes: Shapes, slot: str) -> tuple[int, int]:
    """Return (rows, columns) of a slot with its further dimensions folded into the columns."""
    shape = shapes[slot]
    if len(shape) < 2:
        raise AdapterError(f"{slot} has shape {list(shape)}, a matrix is needed")
    return shape[0], prod(shape[1:])


def agree(left: int, right: int, what: str) -> int:
    """Return the common value; raises AdapterError when the two differ."""
    if left != right:
        raise AdapterError(f"{what} disagree: {left} and {right}")
    return left


def plausible(outline: Outline) -> Outline:
    """Return the outline; raises AdapterError when the weight it implies is larger than any real layer."""
    if (outline.out or 1) * (outline.fan_in or 1) > MAX_WEIGHT:
        raise AdapterError(f"claims a weight of {outline.out} x {outline.fan_in} elements: no layer is that large")
    return outline


@cache
def all_algorithms() -> tuple[Algorithm, ...]:
    """Return every algorithm, sorted by name; raises ValueError when two claim the same slot as theirs alone."""
    found = records(__name__, "ALGORITHM", Algorithm)
    marks = [mark for algorithm in found for mark in algorithm.marks]
    if len(set(marks)) < len(marks):
        raise ValueError(f"two algorithms claim the same slot: {sorted(marks)}")
    return found


def find(slots: frozenset[str]) -> Algorithm:
    """Return the one algorithm that these slots spell; raises AdapterError for none, or a mixture."""
    candidates = [algorithm for algorithm in all_algorithms() if algorithm.marks & slots]
    if len(candidates) > 1 and "diff" not in slots:
        candidates = [algorithm for algorithm in candidates if algorithm.name != "full"]  # diff_b is an extra
    if not candidates:
        raise AdapterError(f"no known algorithm has only {', '.join(sorted(slots))}")
    if len(candidates) > 1:
        names = " and ".join(algorithm.name for algorithm in candidates)
        raise AdapterError(f"two algorithms for one module ({names}): which one is meant is unknown")
    strangers = slots - candidates[0].marks - candidates[0].extras - ALWAYS_ALLOWED
    if strangers:
        raise AdapterError(f"{', '.join(sorted(strangers))} does not belong to {candidates[0].name}")
    return candidates[0]
