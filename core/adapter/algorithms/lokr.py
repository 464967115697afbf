"""LoKr: the Kronecker product of a small and a larger matrix, either of them factorised (LyCORIS)."""

from math import prod
from typing import TYPE_CHECKING

from ...errors import AdapterError
from .algorithm import Algorithm, Factors, Norms, Stated, alpha_over_rank, any_zero, product_norm, spelled
from .shapes import Outline, Shapes, agree, matrix, plausible, require

if TYPE_CHECKING:
    from torch import Tensor

_MARKS = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b")


def _outline(shapes: Shapes) -> Outline:
    rows1, columns1, rank1 = _side(shapes, "lokr_w1")
    if "lokr_t2" in shapes:
        rows2, columns2, rank2 = _core_side(shapes)
    else:
        rows2, columns2, rank2 = _side(shapes, "lokr_w2")
    return plausible(Outline(rows1 * rows2, columns1 * columns2, rank=rank1 if rank2 is None else rank2))


def _side(shapes: Shapes, side: str) -> tuple[int, int, int | None]:
    """Return (rows, columns, rank) of one side; the rank is None for a side kept whole."""
    if side in shapes:
        if f"{side}_a" in shapes or f"{side}_b" in shapes:
            raise AdapterError(f"{side} is there twice, whole and factorised")
        require(shapes, side)
        return *matrix(shapes, side), None
    require(shapes, f"{side}_a", f"{side}_b")
    rows, left = matrix(shapes, f"{side}_a")
    right, columns = matrix(shapes, f"{side}_b")
    return rows, columns, agree(left, right, f"ranks of {side}")


def _core_side(shapes: Shapes) -> tuple[int, int, int]:
    require(shapes, "lokr_t2", "lokr_w2_a", "lokr_w2_b")
    matrix(shapes, "lokr_t2")
    left, rows = matrix(shapes, "lokr_w2_a")
    right, columns = matrix(shapes, "lokr_w2_b")
    core = shapes["lokr_t2"]
    agree(core[0], left, "ranks of lokr_t2")
    return rows, columns * prod(core[2:]), agree(core[1], right, "ranks of lokr_t2")


def _change(weight: "Tensor", factors: Factors, scale: float) -> "Tensor":
    import torch

    return torch.kron(_whole(factors, "lokr_w1") * scale, _second(factors))


def _second(factors: Factors) -> "Tensor":
    import torch

    core = factors.get("lokr_t2")
    if core is None:
        return _whole(factors, "lokr_w2")
    a, b = factors["lokr_w2_a"], factors["lokr_w2_b"]
    return torch.einsum("rqk,ro,qi->oik", core.flatten(2), a, b).flatten(1)


def _whole(factors: Factors, side: str) -> "Tensor":
    if side in factors:
        return factors[side].flatten(1)
    return factors[f"{side}_a"].flatten(1) @ factors[f"{side}_b"].flatten(1)


def _scale(stated: Stated) -> float:
    """Return alpha / rank; of whole matrices 1, since LyCORIS makes their alpha the rank, which nothing shows.

    If rank-stabilised, it makes it r sqrt(r), for a scale of sqrt(r).
    """
    if stated.rank is not None:
        return alpha_over_rank(stated)
    alpha = stated.numbers.get("alpha", 0.0)
    return alpha ** (1 / 3) if stated.by_root and alpha > 0 else 1.0


def _size(norms: Norms, outline: Outline, scale: float) -> float:
    sides = (tuple(f"lokr_{part}" for part in (f"w{n}", f"w{n}_a", f"t{n}", f"w{n}_b")) for n in "12")
    first, second = (product_norm(norms, slots, outline.rank) for slots in sides)
    return abs(scale) * first * second


ALGORITHM = Algorithm(
    name="lokr",
    marks=frozenset(_MARKS),
    endings=spelled(*_MARKS, "lokr_t2"),
    peft_type="LOKR",
    peft_parameters=(*_MARKS, "lokr_t2"),
    alpha_since=("0.14", "rank_dropout_scale"),
    extras=frozenset({"lokr_t2"}),
    variant=lambda shapes: "lokr tucker" if "lokr_t2" in shapes else "lokr",
    outline=_outline,
    change=_change,
    alpha_scales=True,
    scale=_scale,
    is_zero=any_zero,
    size=_size,
)
