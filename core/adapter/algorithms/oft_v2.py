"""OFT of the inputs: rotations of groups of what a layer reads, written down as the upper halves of skew matrices.

Qiu et al. 2025, arXiv:2506.19847; as OneTrainer trains it. A rotation is a Cayley transform cut after the fourth power
of its series. The inputs of a linear layer are turned by it, and the weights of a convolution are, which is the inverse
turn: both are what the trainer does. One block of several groups' size is shared by all of them.
"""

from math import isqrt
from typing import TYPE_CHECKING

from ...errors import AdapterError
from .algorithm import Algorithm, Factors, Stated
from .shapes import Outline, Shapes, matrix, plausible, require

if TYPE_CHECKING:
    from torch import Tensor


def _outline(shapes: Shapes) -> Outline:
    require(shapes, "oft_r")
    blocks, elements = matrix(shapes, "oft_r")
    size = _side(elements)
    if size * (size - 1) // 2 != elements:
        raise AdapterError(f"oft_R has {elements} elements a block, which are not those above a square's diagonal")
    if blocks == 1:
        return plausible(Outline(rank=size, group=size))
    return plausible(Outline(fan_in=blocks * size, rank=size))


def _side(elements: int) -> int:
    """Return the side of the square that has so many elements above its diagonal, rounded down."""
    return (1 + isqrt(1 + 8 * elements)) // 2


def _change(weight: "Tensor", factors: Factors, scale: float) -> "Tensor":
    import torch

    turns = _cayley(factors["oft_r"].flatten(1) * scale)
    if weight.ndim == 2:  # W (R x) = (W R) x
        turns = turns.transpose(1, 2)
    rows = weight.reshape(weight.shape[0], -1, turns.shape[-1])
    turned = torch.einsum("ogk,gkc->ogc", rows, turns.expand(rows.shape[1], -1, -1))
    return turned.reshape(weight.shape) - weight


def _cayley(upper: "Tensor") -> "Tensor":
    """Return I + 2 Q + 2 Q^2 + 2 Q^3 + Q^4 per block, Q skew with this upper half: (blocks, side, side)."""
    import torch

    side = _side(upper.shape[1])
    rows, columns = torch.triu_indices(side, side, 1, device=upper.device)
    half = upper.new_zeros(len(upper), side, side)
    half[:, rows, columns] = upper
    skew = half - half.transpose(1, 2)
    square = skew @ skew
    identity = torch.eye(side, device=upper.device, dtype=upper.dtype)
    return identity + 2 * (skew + square + square @ skew) + square @ square


def _scale(stated: Stated) -> float:
    """Return what the skew matrices are multiplied by: 1 / (2 sqrt(side - 1)) where they are said to be scaled."""
    is_scaled = stated.numbers.get("scaled_oft", 0.0)
    if is_scaled not in (0, 1):
        raise AdapterError(f"scaled_oft is {is_scaled}, 0 or 1 is needed")
    assert stated.rank is not None
    return 0.5 / (stated.rank - 1) ** 0.5 if is_scaled else 1.0


ALGORITHM = Algorithm(
    name="oft_v2",
    marks=frozenset({"oft_r"}),
    endings=((".oft_R.weight", "oft_r", ""), (".oft_R.scaled_oft", "scaled_oft", "")),
    extras=frozenset({"scaled_oft"}),
    numbers=frozenset({"scaled_oft"}),
    outline=_outline,
    change=_change,
    scale=_scale,
    doubt=lambda shapes: (
        "turned as OneTrainer turns them: what PEFT writes under these names may mean another turn, by settings that "
        "are not in the file"
    ),
)
