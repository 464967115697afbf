"""LoRA and LoCon: a product of two thin matrices, with a small kernel between them in the Tucker form.

Hu et al. 2021, arXiv:2106.09685; LyCORIS, arXiv:2309.14859.
"""

from math import prod
from typing import TYPE_CHECKING

from ...errors import AdapterError
from .algorithm import Algorithm, Factors, Norms, any_zero, product_norm
from .shapes import Outline, Shapes, agree, matrix, plausible, require

if TYPE_CHECKING:
    from torch import Tensor


def _outline(shapes: Shapes) -> Outline:
    require(shapes, "up", "down")
    out, rank = matrix(shapes, "up")
    agree(shapes["up"][1], rank, "kernel of up and 1x1")
    if "mid" in shapes:
        return _tucker_outline(shapes, out)
    down_rank, fan_in = matrix(shapes, "down")
    agree(rank, down_rank, "ranks of up and down")
    return plausible(Outline(out, fan_in, shapes["down"][1], rank))


def _tucker_outline(shapes: Shapes, out: int) -> Outline:
    require(shapes, "mid")
    mid = shapes["mid"]
    if len(mid) < 3:
        raise AdapterError(f"mid has shape {list(mid)}, a kernel is needed")
    rank, inputs = matrix(shapes, "down")
    agree(shapes["up"][1], mid[0], "ranks of up and mid")
    agree(rank, mid[1], "ranks of down and mid")
    agree(inputs, shapes["down"][1], "kernel of down and 1x1")
    return plausible(Outline(out, inputs * prod(mid[2:]), inputs, rank))


def _change(weight: "Tensor", factors: Factors, scale: float) -> "Tensor":
    up, down = factors["up"].flatten(1) * scale, factors["down"].flatten(1)
    return _tucker(up, down, factors["mid"]) if "mid" in factors else up @ down


def _tucker(up: "Tensor", down: "Tensor", mid: "Tensor") -> "Tensor":
    """Return (out, in, kernel) from (out, r), (q, in) and the core (r, q, kernel)."""
    import torch

    return torch.einsum("rqk,or,qi->oik", mid.flatten(2), up, down)


def _variant(shapes: Shapes) -> str:
    if "mid" in shapes:
        return "locon tucker"
    return "locon" if prod(shapes["down"][2:]) > 1 else "lora"


def _size(norms: Norms, outline: Outline, scale: float) -> float:
    return abs(scale) * product_norm(norms, ("up", "mid", "down"), outline.rank)


RANDOM_RANKS = "its own reader picks ranks at random, so that no reading of it is the right one"
"""What is wrong with LyCORIS' DyLoRA, whose files say nothing of it unless their metadata do."""


def _doubt(shapes: Shapes) -> str:
    """LyCORIS' DyLoRA alone has a matrix as `up` of a convolution."""
    is_flat = len(shapes["up"]) == 2 and len(shapes["down"]) > 2
    return f"shaped as a convolution of a LyCORIS DyLoRA: {RANDOM_RANKS}" if is_flat else ""


ALGORITHM = Algorithm(
    name="lora",
    marks=frozenset({"up", "down"}),
    endings=(
        (".lora_up.weight", "up", ""),
        (".lora_down.weight", "down", ""),
        (".lora_mid.weight", "mid", ""),
        (".lora_B.weight", "up", "peft"),
        (".lora_A.weight", "down", "peft"),
        (".lora.up.weight", "up", "diffusers"),
        (".lora.down.weight", "down", "diffusers"),
        (".lora_linear_layer.up.weight", "up", "diffusers"),
        (".lora_linear_layer.down.weight", "down", "diffusers"),
        ("_lora.up.weight", "up", "attn_procs"),
        ("_lora.down.weight", "down", "attn_procs"),
        (".up.weight", "up", "xlabs"),
        (".down.weight", "down", "xlabs"),
    ),
    peft_type="LORA",
    peft_parameters=("lora_A", "lora_B"),
    extras=frozenset({"mid"}),
    variant=_variant,
    outline=_outline,
    change=_change,
    product=("up", "down"),
    alpha_scales=True,
    low_rank=True,
    is_zero=any_zero,
    size=_size,
    doubt=_doubt,
    diffusers_converts=True,
)
