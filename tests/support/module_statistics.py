"""How large and how complex a weight change is, module by module, without any forward pass."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from owf.core.adapter.adapter import Adapter
from owf.core.adapter.apply.delta import Delta
from owf.core.adapter.apply.match import Components, MatchedModule, deltas, match_modules
from owf.core.adapter.blocks import Block, BlockNorms, ModuleNorms, block_of, by_block, kind_of, relative

if TYPE_CHECKING:
    from torch import Tensor

SPECTRUM = 8
"""How many of the largest singular values are kept per module."""
DEAD = 1e-6
"""Relative change below which a module counts as dead: it was in the file and learnt nothing."""


@dataclass(frozen=True)
class ModuleStatistics(ModuleNorms):
    """The change of one module's weight at strength 1."""

    name: str
    """Component and flattened path."""
    effective_rank: float
    """exp of the entropy of the squared singular values' shares (Roy and Vetterli 2007); 0 for no change."""
    spectrum: tuple[float, ...]
    """Up to eight largest singular values, descending."""

    @property
    def is_dead(self) -> bool:
        """Return whether the module learnt nothing."""
        return self.relative < DEAD


@dataclass(frozen=True)
class BlockStatistics(BlockNorms):
    """The changes of one kind of layer in one block."""

    effective_rank: float
    """Mean effective rank."""


def module_statistics(adapter: Adapter, components: Components) -> tuple[ModuleStatistics, ...]:
    """Return the statistics of every module of `adapter` that fits `components`, in file order.

    Weights are seen as matrices of outputs by everything else. Costs one merge plus one eigenvalue problem
    of the smaller side per module, on the base's device: seconds for each of the wide ones, so that the audit's
    report keeps to the norms that matching gives anyway.
    """
    import torch

    with torch.no_grad():
        return tuple(_statistics(pair, change) for pair, change in deltas(match_modules(adapter, components)))


def block_statistics(modules: Iterable[ModuleStatistics]) -> tuple[BlockStatistics, ...]:
    """Return module statistics summed per block and kind of layer, in the order of the network."""
    return tuple(_block(block, kind, members) for block, kind, members in by_block(modules))


def dead_modules(modules: Iterable[ModuleStatistics]) -> tuple[str, ...]:
    """Return the names of modules that are in the file and change nothing."""
    return tuple(module.name for module in modules if module.is_dead)


def _statistics(pair: MatchedModule, change: Delta) -> ModuleStatistics:
    import torch

    weight = pair.owner._parameters["weight"]
    assert weight is not None
    values = singular_values(change.weight.flatten(1) if change.weight.ndim > 1 else change.weight[:, None])
    return ModuleStatistics(
        name=pair.module.name,
        block=block_of(pair.module),
        kind=kind_of(pair.module),
        change=float(torch.linalg.vector_norm(change.weight)),
        base=float(torch.linalg.vector_norm(weight.detach(), dtype=change.weight.dtype)),
        effective_rank=effective_rank(values),
        spectrum=tuple(float(value) for value in values[:SPECTRUM]),
    )


def singular_values(matrix: "Tensor") -> "Tensor":
    """Return the singular values of a matrix (rows, columns), descending, float64.

    From the eigenvalues of the smaller Gram matrix: a tenth of the time of a decomposition, and exact to
    the square root of the precision relative to the largest, which is all that a spectrum needs. NaN for a
    matrix with NaN or infinity.
    """
    import torch

    wide = matrix.to(torch.float64)
    if not bool(torch.isfinite(wide).all()):
        return wide.new_full((min(wide.shape),), math.nan)
    gram = wide @ wide.T if wide.shape[0] <= wide.shape[1] else wide.T @ wide
    return torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().flip(0)


def effective_rank(values: "Tensor") -> float:
    """Return exp(entropy) of the shares of squared singular values: k for k equal ones, 0 for none."""
    import torch

    energy = values.square()
    total = float(energy.sum())
    if total <= 0 or not math.isfinite(total):
        return 0.0
    return math.exp(float(torch.special.entr(energy / total).sum()))


def _block(block: Block, kind: str, members: list[ModuleStatistics]) -> BlockStatistics:
    mean_rank = sum(module.effective_rank for module in members) / len(members)
    return BlockStatistics(block, kind, len(members), relative(members), mean_rank)
