"""Which block of the network a module belongs to, what kind of layer it is, and how large its change is there."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .module import AdapterModule

KINDS = ("self-attention", "cross-attention", "feed-forward", "resnet", "other")
"""Kinds of layer that a change is told apart by: columns of every table per block, in this order."""

_UNET = re.compile(r"(down|up)_blocks_(\d+)_", re.ASCII)
_NUMBERED = re.compile(r"(?:blocks|layers|layer|block)_(\d+)_", re.ASCII)
"""Begins with nothing that repeats: such a search takes the square of a name's length, and files have thousands."""
_LETTERS = ascii_lowercase + "_"
_TITLES = {
    "text_encoder": "text",
    "text_encoder_2": "text 2",
    "text_encoder_3": "text 3",
    "text_conditioner": "conditioner",
}
_PARTS = (  # the first match counts
    ("cross-attention", ("_attn2_", "cross_attn", "_add_k_proj", "_add_q_proj", "_add_v_proj")),
    ("self-attention", ("_attn1_", "self_attn", "_attn_", "_attention_", "linear1", "SelfAttention")),
    ("feed-forward", ("_ff_", "_mlp_", "feed_forward", "linear2", "ffn", "DenseReluDense")),
    ("resnet", ("_resnets_", "samplers_")),
)


@dataclass(frozen=True, order=True)
class Block:
    """One row of a table per block."""

    component: str
    """Part of the pipeline."""
    stage: int
    """Order along the network: entry, down, middle, up, exit."""
    number: int
    """Number of the block within its stage."""
    title: str
    """Name for people, such as `down 0`."""


def block_of(module: "AdapterModule") -> Block:
    """Return the block of a module."""
    if module.component == "unet":
        return _unet_block(module.path)
    found = _NUMBERED.search(module.path)
    lead = _TITLES.get(module.component, "")
    if found is None:
        return Block(module.component, 9, 0, f"{lead} other".strip())
    before = module.path[: found.start()]
    name = lead or before[len(before.rstrip(_LETTERS)) :].strip("_") or "block"
    return Block(module.component, 1, int(found[1][:4]), f"{name} {int(found[1][:4])}")


def kind_of(module: "AdapterModule") -> str:
    """Return the kind of layer, one of `KINDS`."""
    path = f"_{module.path}_"
    return next((kind for kind, parts in _PARTS if any(part in path for part in parts)), "other")


def _unet_block(path: str) -> Block:
    if found := _UNET.match(path):
        number = int(found[2][:4])
        return Block("unet", 1 if found[1] == "down" else 3, number, f"{found[1]} {number}")
    if path.startswith("mid_block"):
        return Block("unet", 2, 0, "mid")
    last = path.startswith(("conv_out", "conv_norm_out"))
    return Block("unet", 4 if last else 0, 0, "out" if last else "in, time")


@dataclass(frozen=True)
class ModuleNorms:
    """The size of one module's change at strength 1."""

    block: Block
    """Block of the network."""
    kind: str
    """Kind of layer, one of `KINDS`."""
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


def ratio(change: float, base: float) -> float:
    """Return change / base; over zero it is infinite, or zero where nothing changes."""
    if base:
        return change / base
    return math.inf if change else 0.0


def block_norms(modules: Iterable[ModuleNorms]) -> tuple[BlockNorms, ...]:
    """Return the norms summed per block and kind of layer, in the order of the network."""
    groups: dict[tuple[Block, str], list[ModuleNorms]] = {}
    for module in modules:
        groups.setdefault((module.block, module.kind), []).append(module)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], KINDS.index(item[0][1])))
    return tuple(BlockNorms(block, kind, len(group), _relative(group)) for (block, kind), group in ordered)


def _relative(modules: Sequence[ModuleNorms]) -> float:
    """Return the norm of the changes of several modules relative to that of all their base weights."""
    return ratio(math.hypot(*(m.change for m in modules)), math.hypot(*(m.base for m in modules)))
