"""What shapes alone tell of the layer that factors change, checked before anything is multiplied."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from ...errors import AdapterError

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
"""Shapes of a module's tensors by slot."""

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
    group: int | None = None
    """Elements of which a whole number make up one output's weight."""

    def misfit(self, shape: Shape) -> str | None:
        """Return why these factors cannot change a weight of `shape`; None when they can."""
        wanted = (self.out, self.fan_in, self.inputs)
        found = (shape[0], prod(shape[1:]), shape[1] if len(shape) > 1 else 1)
        for name, need, have in zip(("outputs", "weights per output", "inputs"), wanted, found, strict=True):
            if need is not None and need != have:
                return f"made for {need} {name}, the base has {have}"
        if self.group is not None and found[1] % self.group:
            return f"made for groups of {self.group} weights per output, the base has {found[1]}"
        return None


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
