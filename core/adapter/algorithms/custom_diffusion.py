"""Custom Diffusion: attention weights stored whole, which replace those of the base (arXiv:2212.04488)."""

from math import prod
from typing import TYPE_CHECKING

from .algorithm import Algorithm, Factors, Outline, Shapes, agree, matrix, plausible, require

if TYPE_CHECKING:
    from torch import Tensor


def _outline(shapes: Shapes) -> Outline:
    require(shapes, "custom")
    out, fan_in = matrix(shapes, "custom")
    if "custom_bias" in shapes:
        require(shapes, "custom_bias")
        agree(prod(shapes["custom_bias"]), out, "outputs of weight and bias")
    return plausible(Outline(out, fan_in))


def _change(weight: "Tensor", factors: Factors, scale: float) -> "Tensor":
    return factors["custom"].reshape(weight.shape) - weight


ALGORITHM = Algorithm(
    name="custom_diffusion",
    marks=frozenset({"custom"}),
    extras=frozenset({"custom_bias"}),
    outline=_outline,
    change=_change,
)
