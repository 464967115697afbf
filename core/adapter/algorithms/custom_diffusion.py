"""Custom Diffusion: attention weights stored whole, which replace those of the base (arXiv:2212.04488)."""

from math import prod
from typing import TYPE_CHECKING

from .algorithm import Algorithm, Factors
from .shapes import Outline, Shapes, agree, matrix, plausible, require

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


def _bias_change(base: "Tensor | None", bias: "Tensor") -> "Tensor":
    return bias.clone() if base is None else bias - base.to(bias.dtype)


ALGORITHM = Algorithm(
    name="custom_diffusion",
    marks=frozenset({"custom"}),
    endings=(
        ("_custom_diffusion.weight", "custom", "custom_diffusion"),
        ("_custom_diffusion.0.weight", "custom", "custom_diffusion"),
        ("_custom_diffusion.0.bias", "custom_bias", "custom_diffusion"),
    ),
    outline=_outline,
    change=_change,
    own_bias="custom_bias",
    bias_change=_bias_change,
    is_zero=lambda factors, zeros: False,  # zeros would replace the base's weights
)
