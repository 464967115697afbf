"""Which block of the network a module belongs to, and what kind of layer it is."""

import re
from dataclasses import dataclass

from .module import AdapterModule

_UNET = re.compile(r"(down|up)_blocks_(\d+)_", re.ASCII)
_NUMBERED = re.compile(r"([a-z_]*?)(?:blocks|layers|layer|block)_(\d+)_", re.ASCII)
_TITLES = {"text_encoder": "text", "text_encoder_2": "text 2", "text_encoder_3": "text 3"}
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


def block_of(module: AdapterModule) -> Block:
    """Return the block of a module."""
    if module.component == "unet":
        return _unet_block(module.path)
    found = _NUMBERED.search(module.path)
    lead = _TITLES.get(module.component, "")
    if found is None:
        return Block(module.component, 9, 0, f"{lead} other".strip())
    name = lead or found[1].strip("_") or "block"
    return Block(module.component, 1, int(found[2][:4]), f"{name} {int(found[2][:4])}")


def kind_of(module: AdapterModule) -> str:
    """Return the kind of layer, one of `kinds.KINDS`."""
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
