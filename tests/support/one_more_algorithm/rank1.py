"""An algorithm that nobody uses, as a file of `core/adapter/algorithms`: gain * out in^T, and a bias of its own."""

from typing import TYPE_CHECKING

from .algorithm import Algorithm, Factors, Stated, any_zero, spelled  # pyright: ignore[reportMissingImports]
from .shapes import Outline, Shapes, require  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from torch import Tensor


def _outline(shapes: Shapes) -> Outline:
    require(shapes, "r1_out", "r1_in")
    (out,), (inputs,) = shapes["r1_out"], shapes["r1_in"]
    return Outline(out, inputs, inputs, 1)


def _change(weight: "Tensor", factors: Factors, gain: float) -> "Tensor":
    return gain * factors["r1_out"].outer(factors["r1_in"])


def _gain(stated: Stated) -> float:
    return stated.numbers["r1_gain"]


ALGORITHM = Algorithm(
    name="rank1",
    marks=frozenset({"r1_out", "r1_in"}),
    endings=(*spelled("r1_out", "r1_in", "r1_gain"), (".r1_b", "r1_bias", "")),
    extras=frozenset({"r1_gain"}),
    numbers=frozenset({"r1_gain"}),
    outline=_outline,
    change=_change,
    scale=_gain,
    own_bias="r1_bias",
    bias_change=lambda base, bias: bias * 2,
    is_zero=any_zero,
    size=lambda norms, outline, gain: abs(gain) * norms["r1_out"] * norms["r1_in"],
    doubt=lambda shapes: "of an algorithm that nobody uses",
)
