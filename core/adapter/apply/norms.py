"""How large a change is beside the weights it changes, per module and per block of the network."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..blocks import Block
from ..kinds import KINDS


@dataclass(frozen=True)
class ModuleNorms:
    """The size of one module's change at strength 1."""

    block: Block
    """Block of the network."""
    kind: str
    """Kind of layer, one of `kinds.KINDS`."""
    change: float
    """Frobenius norm of the change; not finite where the change is not."""
    base: float
    """Frobenius norm of the base weight."""

    @property
    def relative(self) -> float:
        """Return the norm of the change relative to that of the base weight; infinite over a zero weight."""
        return ratio(self.change, self.base)


@dataclass(frozen=True)
class BlockNorms:
    """The size of the changes of one kind of layer in one block."""

    block: Block
    """The block."""
    kind: str
    """Kind of layer."""
    modules: int
    """How many modules are changed."""
    relative: float
    """Norm of all their changes relative to the norm of all their base weights."""


Module = TypeVar("Module", bound=ModuleNorms)


def ratio(change: float, base: float) -> float:
    """Return change / base; over zero it is infinite, or zero where nothing changes."""
    return change / base if base else (math.inf if change else 0.0)


def block_norms(modules: Iterable[ModuleNorms]) -> tuple[BlockNorms, ...]:
    """Return the norms summed per block and kind of layer, in the order of the network."""
    groups = by_block(modules)
    return tuple(BlockNorms(block, kind, len(group), relative(group)) for block, kind, group in groups)


def by_block(modules: Iterable[Module]) -> list[tuple[Block, str, list[Module]]]:
    """Return the modules of each block and kind of layer, in the order of the network."""
    groups: dict[tuple[Block, str], list[Module]] = {}
    for module in modules:
        groups.setdefault((module.block, module.kind), []).append(module)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], KINDS.index(item[0][1])))
    return [(block, kind, group) for (block, kind), group in ordered]


def relative(modules: Sequence[ModuleNorms]) -> float:
    """Return the norm of the changes of several modules relative to that of all their base weights."""
    return ratio(math.hypot(*(m.change for m in modules)), math.hypot(*(m.base for m in modules)))
