"""Norm: the change of a normalisation layer's weight and bias (LyCORIS)."""

from math import prod
from typing import TYPE_CHECKING

from .algorithm import Algorithm, Factors, spelled
from .shapes import Outline, Shapes, agree, require

if TYPE_CHECKING:
    from torch import Tensor


def _outline(shapes: Shapes) -> Outline:
    require(shapes, "w_norm")
    out = prod(shapes["w_norm"])
    if "b_norm" in shapes:
        agree(prod(shapes["b_norm"]), out, "sizes of w_norm and b_norm")
    return Outline(out, 1)


def _change(weight: "Tensor", factors: Factors, scale: float) -> "Tensor":
    return factors["w_norm"].clone()


ALGORITHM = Algorithm(
    name="norm",
    marks=frozenset({"w_norm"}),
    endings=spelled("w_norm", "b_norm"),
    outline=_outline,
    change=_change,
    fits_vectors=True,
    own_bias="b_norm",
)
