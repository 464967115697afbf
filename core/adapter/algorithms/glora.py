"""GLoRA: one low-rank map on the weight's inputs plus one low-rank change (arXiv:2306.07967, LyCORIS).

The change is scale (W a1 a2 + b1 b2). Earlier versions of LyCORIS named both halves the other way round, with a1
and b1 next to the input: scale (W a2 a1 + b2 b1). Shapes tell, except for factors of full rank in a square layer.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from .algorithm import Algorithm, Factors, Stated, alpha_over_rank
from .shapes import Outline, Shapes, agree, matrix, plausible, require

if TYPE_CHECKING:
    from torch import Tensor


Value = TypeVar("Value")
_OLD_NAMES = {"a1": "a2", "a2": "a1", "b1": "b2", "b2": "b1"}


def _outline(shapes: Shapes) -> Outline:
    require(shapes, "a1", "a2", "b1", "b2")
    if _is_old(shapes):
        shapes = _renamed(shapes)
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


def _is_old(shapes: Shapes) -> bool:
    """Return whether the ranks agree in the old order of the factors; of two such orders the thin factors count."""
    a1, a2, b1, b2 = (matrix(shapes, slot) for slot in ("a1", "a2", "b1", "b2"))
    old, new = {a1[0], a2[1], b1[0], b2[1]}, {a1[1], a2[0], b1[1], b2[0]}
    return len(old) == 1 and (len(new) > 1 or min(old) < min(new))


def _renamed(slots: Mapping[str, Value]) -> dict[str, Value]:
    return {_OLD_NAMES.get(slot, slot): value for slot, value in slots.items()}


def _change(weight: "Tensor", factors: Factors, scale: float) -> "Tensor":
    import torch

    if _is_old({slot: tuple(factors[slot].shape) for slot in _OLD_NAMES}):
        factors = _renamed(factors)
    a1, a2, b1, b2 = (factors[slot].flatten(1) for slot in ("a1", "a2", "b1", "b2"))
    core = factors.get("bm")
    added = b1 @ b2 if core is None else torch.einsum("rqk,or,qi->oik", core.flatten(2), b1, b2)
    mapped = torch.einsum("oik,ij->ojk", weight.flatten(1).reshape(*weight.shape[:2], -1), a1 @ a2)
    return (mapped.reshape(added.shape[0], -1) + added.flatten(1)) * scale


def _scale(stated: Stated) -> float:
    """Return alpha / rank; LyCORIS writes alpha as given here, also if rank-stabilised, as configurations do."""
    return alpha_over_rank(replace(stated, numbers={}, alpha=stated.numbers.get("alpha", stated.alpha)))


ALGORITHM = Algorithm(
    name="glora",
    marks=frozenset({"a1", "a2", "b1", "b2"}),
    endings=tuple((f".{slot}.weight", slot, "") for slot in ("a1", "a2", "b1", "b2", "bm")),
    extras=frozenset({"bm"}),
    variant=lambda shapes: "glora tucker" if "bm" in shapes else "glora",
    outline=_outline,
    change=_change,
    alpha_scales=True,
    scale=_scale,
    low_rank=True,
)
