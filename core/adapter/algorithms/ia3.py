"""(IA)^3: one learned factor per input or output feature (arXiv:2205.05638, LyCORIS)."""

from math import prod
from typing import TYPE_CHECKING

from ...errors import AdapterError
from .algorithm import Algorithm, Factors, Norms, Stated, spelled
from .shapes import Outline, Shapes, require

if TYPE_CHECKING:
    from torch import Tensor


def _outline(shapes: Shapes) -> Outline:
    """Return nothing but the check: whether the count means inputs or outputs is a value, not a shape."""
    require(shapes, "weight", "on_input")
    return Outline()


def _change(weight: "Tensor", factors: Factors, on_input: float) -> "Tensor":
    """Return the weight times the factor along its input axis, or its output axis where `on_input` is 0."""
    axis = 1 if on_input else 0
    shape = [1] * weight.ndim
    shape[axis] = weight.shape[axis]
    return weight * factors["weight"].reshape(shape)


def _on_input(stated: Stated) -> float:
    """Return 1 where the factors are those of inputs and 0 where they are those of outputs."""
    on_input = stated.numbers["on_input"]
    if on_input not in (0, 1):
        raise AdapterError(f"on_input is {on_input}, 0 or 1 is needed")
    return on_input


def _outline_at(shapes: Shapes, on_input: float) -> Outline:
    count = prod(shapes["weight"])
    return Outline(inputs=count) if on_input else Outline(out=count)


def _size(norms: Norms, outline: Outline, scale: float) -> float:
    """Return the norm of the factors alone: `on_input` says which axis they belong to and changes nothing itself."""
    return norms.get("weight", 0.0)


ALGORITHM = Algorithm(
    name="ia3",
    marks=frozenset({"on_input"}),
    endings=spelled("on_input"),
    extras=frozenset({"weight"}),
    numbers=frozenset({"on_input"}),
    outline=_outline,
    outline_at=_outline_at,
    change=_change,
    scale=_on_input,
    size=_size,
)
