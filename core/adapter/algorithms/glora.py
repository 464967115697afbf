"""GLoRA: one low-rank map on the weight's inputs plus one low-rank change (arXiv:2306.07967, LyCORIS)."""

from typing import TYPE_CHECKING

from .algorithm import Algorithm, Factors, Outline, Shapes, agree, matrix, plausible, require

if TYPE_CHECKING:
    from torch import Tensor


def _outline(shapes: Shapes) -> Outline:
    require(shapes, "a1", "a2", "b1", "b2")
    inputs, rank = matrix(shapes, "a1")
    agree(matrix(shapes, "a2")[0], rank, "ranks of a1 and a2")
    agree(matrix(shapes, "a2")[1], inputs, "inputs of a1 and a2")
    out, b_rank = matrix(shapes, "b1")
    fan_in = matrix(shapes, "b2")[1]
    if "bm" in shapes:
        require(shapes, "bm")
        core_rank, core = matrix(shapes, "bm")
        agree(b_rank, core_rank, "ranks of b1 and bm")
        fan_in *= core // agree(shapes["bm"][1], shapes["b2"][0], "ranks of b2 and bm")
    else:
        agree(b_rank, shapes["b2"][0], "ranks of b1 and b2")
    return plausible(Outline(out, fan_in, inputs, rank))


def _change(weight: "Tensor", factors: Factors, scale: float) -> "Tensor":
    import torch

    a1, a2, b1, b2 = (factors[slot].flatten(1) for slot in ("a1", "a2", "b1", "b2"))
    core = factors.get("bm")
    added = b1 @ b2 if core is None else torch.einsum("rqk,or,qi->oik", core.flatten(2), b1, b2)
    mapped = torch.einsum("oik,ij->ojk", weight.flatten(1).reshape(*weight.shape[:2], -1), a1 @ a2)
    return (mapped.reshape(added.shape[0], -1) + added.flatten(1)) * scale


ALGORITHM = Algorithm(
    name="glora",
    marks=frozenset({"a1", "a2", "b1", "b2"}),
    extras=frozenset({"bm"}),
    outline=_outline,
    change=_change,
    alpha_scales=True,
)
