"""LoRA of an embedding layer, whose weight PEFT sees transposed: one row per token instead of one per feature."""

from typing import TYPE_CHECKING

from .algorithm import Algorithm, Factors, Norms, any_zero, product_norm
from .shapes import Outline, Shapes, agree, matrix, plausible, require

if TYPE_CHECKING:
    from torch import Tensor


def _outline(shapes: Shapes) -> Outline:
    require(shapes, "token_up", "token_down")
    features, rank = matrix(shapes, "token_up")
    down_rank, tokens = matrix(shapes, "token_down")
    agree(rank, down_rank, "ranks of lora_embedding_A and lora_embedding_B")
    return plausible(Outline(tokens, features, rank=rank))


def _change(weight: "Tensor", factors: Factors, scale: float) -> "Tensor":
    up, down = (factors[slot].flatten(1) for slot in ("token_up", "token_down"))
    return (down.T * scale) @ up.T


def _size(norms: Norms, outline: Outline, scale: float) -> float:
    return abs(scale) * product_norm(norms, ("token_up", "token_down"), outline.rank)


ALGORITHM = Algorithm(
    name="lora_embedding",
    marks=frozenset({"token_up", "token_down"}),
    endings=(
        (".lora_embedding_A", "token_down", "peft"),
        (".lora_embedding_B", "token_up", "peft"),
    ),
    peft_type="LORA",
    peft_parameters=("lora_embedding_A", "lora_embedding_B"),
    outline=_outline,
    change=_change,
    alpha_scales=True,
    low_rank=True,
    magnitude_axis=1,  # of the transposed weight
    is_zero=any_zero,
    size=_size,
)
