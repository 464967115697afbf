"""Memory of a `quick` audit on bases whose files hold eight bits, which stay as they are, beside those of 16."""

import re
from collections.abc import Iterator

import torch
from owf.core import families
from owf.core.model.backends.kept_as_stored import keep_shapes
from owf.core.model.base import BaseChoice
from owf.core.model.blueprint import Blueprint, blueprint
from owf.core.model.footprint import GIB, footprint
from owf.core.model.memory import TILE, Keeping
from torch import nn

from .families import asked, short
from .loras import changed_layers, lora_bytes

WAYS = (Keeping(), Keeping("model"), Keeping("group", tile=TILE))
_LANGUAGE = re.compile(r"T5|Qwen")
"""Text encoders that files of eight bits are made of: those of CLIP are small."""
_WRITES = "lm_head"
"""The layer with which a language model would write, which files of text encoders lack."""


def stored_base(hub_id: str) -> Blueprint:
    """Return a base as of such files: eight bits in linear layers of transformer blocks, and of language models."""
    base = blueprint(BaseChoice(hub_id, "hub"))
    layers = {base.pipeline.denoiser: [f"{name}.weight" for name, _ in changed_layers(base)]}
    for name, part in base.components.items():
        if _LANGUAGE.match(type(part).__name__):
            linear = (path for path, layer in part.named_modules() if type(layer) is nn.Linear)
            layers[name] = [f"{path}.weight" for path in linear if path != _WRITES]
    for name, weights in layers.items():
        keep_shapes(base.components[name], dict.fromkeys(weights, torch.float8_e4m3fn))
    return base


def eight_bits_table() -> Iterator[str]:
    """Yield the lines of the table, in GiB: of files of 16 bits, then of eight."""
    yield f"| base | {' | '.join(f'{short(way)}: 16 bits | 8 bits' for way in WAYS)} |"
    yield f"|{'---|' * (2 * len(WAYS) + 1)}"
    for family in families.audited():
        if family.pipeline is None or not family.pipeline.layers or family.hub_id is None:
            continue
        one = asked(family.hub_id)
        stored, lora = stored_base(family.hub_id), lora_bytes(one.base)
        stored.network.resize(one.base.resolution)
        pairs = ((one.needed(way), footprint(stored, one.dtype, one.rows, way, lora).needed / GIB) for way in WAYS)
        cells = " | ".join(f"{plain:.1f} | {eight:.1f}" for plain, eight in pairs)
        yield f"| {one.base.family.title} | {cells} |"
