"""(IA)^3: one learned factor per input or output feature (arXiv:2205.05638, LyCORIS)."""

from math import prod
from typing import TYPE_CHECKING

from .algorithm import Algorithm, Factors, Outline, Shapes, require

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


def outline_of(shapes: Shapes, on_input: bool) -> Outline:
    """Return the outline once the value of `on_input` is known."""
    count = prod(shapes["weight"])
    return Outline(inputs=count) if on_input else Outline(out=count)


ALGORITHM = Algorithm(
    name="ia3",
    marks=frozenset({"on_input"}),
    extras=frozenset({"weight"}),
    outline=_outline,
    change=_change,
)
