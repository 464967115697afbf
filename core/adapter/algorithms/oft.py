"""Diag-OFT and BOFT: rotations of the output features, in one stage or in butterfly stages.

Qiu et al. 2023, arXiv:2306.07280; Liu et al. 2023, arXiv:2311.06243. Rotations are Cayley transforms of
skew-symmetric blocks. `alpha` is not a scale here but the bound of the blocks' norm, per output feature.
"""

from math import prod
from typing import TYPE_CHECKING

from ...errors import AdapterError
from .algorithm import Algorithm, Factors, spelled
from .shapes import Outline, Shapes, agree, plausible, require

if TYPE_CHECKING:
    from torch import Tensor

_MAX_STAGES = 32
"""Stages of a butterfly that are believed: each doubles what a layer's outputs are divided by."""


def _outline(shapes: Shapes) -> Outline:
    require(shapes, "oft_blocks")
    blocks = shapes["oft_blocks"]
    if len(blocks) not in (3, 4):
        raise AdapterError(f"oft_blocks has {len(blocks)} dimensions; 3 (Diag-OFT) or 4 (BOFT) are known")
    size = agree(blocks[-1], blocks[-2], "sides of the blocks")
    out = blocks[-3] * size
    if len(blocks) == 4 and (size % 2 or blocks[0] > _MAX_STAGES or out % (2 ** (blocks[0] - 1) * size)):
        raise AdapterError(f"{blocks[0]} butterfly stages of {blocks[1]} blocks of {size} do not fit together")
    if "rescale" in shapes:
        agree(prod(shapes["rescale"]), out, "outputs of blocks and rescale")
    return plausible(Outline(out=out, rank=size))


def _change(weight: "Tensor", factors: Factors, constraint: float) -> "Tensor":
    rotations = _cayley(factors["oft_blocks"], constraint * weight.shape[0])
    rows = weight.flatten(1)
    turned = _butterfly(rotations, rows) if rotations.ndim == 4 else _blockwise(rotations, rows)
    if "rescale" in factors:
        turned = turned * factors["rescale"].reshape(-1, 1)
    return turned - rows


def _cayley(blocks: "Tensor", bound: float) -> "Tensor":
    """Return (I + Q)(I - Q)^-1 per block, Q skew and, for a positive bound, of at most that norm in total."""
    import torch

    skew = blocks - blocks.transpose(-1, -2)
    if bound > 0:
        norm = torch.linalg.vector_norm(skew) + 1e-8
        skew = skew * torch.clamp(bound / norm, max=1.0)
    identity = torch.eye(blocks.shape[-1], device=blocks.device, dtype=blocks.dtype)
    # unchecked: only NaN or infinity make I - Q singular, and those are found in the result
    return torch.linalg.solve_ex(identity - skew, identity + skew, left=False).result


def _blockwise(rotations: "Tensor", rows: "Tensor") -> "Tensor":
    """Return the rows with every block of them multiplied by its rotation, transposed as LyCORIS does."""
    count, size, _ = rotations.shape
    return (rotations.transpose(1, 2) @ rows.reshape(count, size, -1)).reshape(rows.shape)


def _butterfly(rotations: "Tensor", rows: "Tensor") -> "Tensor":
    """Return the rows after all stages; stage i mixes rows 2^i * size / 2 apart."""
    out, columns = rows.shape
    size = rotations.shape[-1]
    for stage, blocks in enumerate(rotations):
        stride = 2**stage * size // 2
        pairs = rows.reshape(-1, 2, stride, columns).transpose(1, 2)
        mixed = blocks @ pairs.reshape(-1, size, columns)
        rows = mixed.reshape(-1, stride, 2, columns).transpose(1, 2).reshape(out, columns)
    return rows


ALGORITHM = Algorithm(
    name="oft",
    marks=frozenset({"oft_blocks"}),
    endings=spelled("oft_blocks", "rescale"),
    extras=frozenset({"rescale"}),
    variant=lambda shapes: "boft" if len(shapes["oft_blocks"]) == 4 else "diag-oft",
    outline=_outline,
    change=_change,
    scale=lambda stated: stated.numbers.get("alpha", 0.0),
    is_zero=lambda factors, zeros: factors <= zeros and "rescale" not in factors,
)
