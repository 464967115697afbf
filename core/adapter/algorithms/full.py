"""Full difference: the change itself, element by element."""

from math import prod
from typing import TYPE_CHECKING

from .algorithm import Algorithm, Factors, spelled
from .shapes import Outline, Shapes, plausible, require

if TYPE_CHECKING:
    from torch import Tensor


def _outline(shapes: Shapes) -> Outline:
    if "diff" not in shapes:
        require(shapes, "diff_b")
        return Outline(out=prod(shapes["diff_b"]))
    require(shapes, "diff")
    shape = shapes["diff"] or (1,)
    return plausible(Outline(shape[0], prod(shape[1:]), shape[1] if len(shape) > 1 else 1))


def _change(weight: "Tensor", factors: Factors, scale: float) -> "Tensor":
    return factors["diff"].clone() if "diff" in factors else weight.new_zeros(weight.shape)


ALGORITHM = Algorithm(
    name="full",
    marks=frozenset({"diff", "diff_b"}),
    endings=spelled("diff", "diff_b"),
    outline=_outline,
    change=_change,
    fits_vectors=True,
)
