"""LoHa: the element-wise product of two low-rank matrices (FedPara, arXiv:2108.06098; LyCORIS)."""

import math
from typing import TYPE_CHECKING

from .algorithm import Algorithm, Factors, Norms, any_zero, product_norm, spelled
from .shapes import Outline, Shapes, agree, matrix, plausible, require

if TYPE_CHECKING:
    from torch import Tensor


def _outline(shapes: Shapes) -> Outline:
    require(shapes, "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
    tucker = "hada_t1" in shapes or "hada_t2" in shapes
    if tucker:
        require(shapes, "hada_t1", "hada_t2")
    first, second = (_half(shapes, number, tucker) for number in "12")
    agree(first[0], second[0], "outputs of the two halves")
    agree(first[1], second[1], "inputs of the two halves")
    return plausible(Outline(first[0], first[1], rank=first[2]))


def _half(shapes: Shapes, number: str, tucker: bool) -> tuple[int, int, int]:
    """Return (outputs, weights per output, rank) of one of the two products."""
    a_rows, a_columns = matrix(shapes, f"hada_w{number}_a")
    rank, columns = matrix(shapes, f"hada_w{number}_b")
    if not tucker:
        agree(a_columns, rank, f"ranks of half {number}")
        return a_rows, columns, rank
    core = f"hada_t{number}"
    agree(matrix(shapes, core)[0], a_rows, f"ranks of {core}")
    agree(shapes[core][1], rank, f"ranks of {core}")
    return a_columns, columns * (matrix(shapes, core)[1] // rank), rank


def _change(weight: "Tensor", factors: Factors, scale: float) -> "Tensor":
    return _product(factors, "1") * _product(factors, "2") * scale


def _product(factors: Factors, number: str) -> "Tensor":
    import torch

    a, b = factors[f"hada_w{number}_a"], factors[f"hada_w{number}_b"]
    core = factors.get(f"hada_t{number}")
    if core is None:
        return a.flatten(1) @ b.flatten(1)
    return torch.einsum("rqk,ro,qi->oik", core.flatten(2), a, b)


def _size(norms: Norms, outline: Outline, scale: float) -> float:
    first, second = (product_norm(norms, (f"hada_w{n}_a", f"hada_t{n}", f"hada_w{n}_b"), outline.rank) for n in "12")
    elements = (outline.out or 1) * (outline.fan_in or 1)
    return abs(scale) * first * second / math.sqrt(elements)


_MARKS = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
_CORES = ("hada_t1", "hada_t2")

ALGORITHM = Algorithm(
    name="loha",
    marks=frozenset(_MARKS),
    endings=spelled(*_MARKS, *_CORES),
    peft_type="LOHA",
    peft_parameters=(*_MARKS, *_CORES),
    extras=frozenset(_CORES),
    variant=lambda shapes: "loha tucker" if "hada_t1" in shapes else "loha",
    outline=_outline,
    change=_change,
    alpha_scales=True,
    low_rank=True,
    is_zero=any_zero,
    size=_size,
)
