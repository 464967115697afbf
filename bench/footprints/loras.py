"""The LoRA that memory is counted with: of a usual rank, on every linear layer of a denoiser's transformer blocks."""

import re
from collections.abc import Iterator

from owf.core.model.blueprint import Blueprint
from owf.core.model.footprint import LoraBytes
from torch import nn

RANK = 16
_BLOCKS = re.compile(r"transformer_blocks\.\d+\.|^layers\.\d+\.")
"""In names of layers of the blocks: Z-Image calls its own `layers`."""


def changed_layers(base: Blueprint) -> Iterator[tuple[str, nn.Linear]]:
    """Yield names and layers that the LoRA changes."""
    for name, module in base.components[base.pipeline.denoiser].named_modules():
        if isinstance(module, nn.Linear) and _BLOCKS.search(name):
            yield name, module


def lora_bytes(base: Blueprint) -> LoraBytes:
    """Return what it changes and has."""
    layers = [layer for _, layer in changed_layers(base)]
    factors = sum(RANK * (layer.in_features + layer.out_features) for layer in layers)
    return LoraBytes(sum(layer.weight.numel() for layer in layers), factors)
