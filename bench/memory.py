"""Memory of an audit on Stable Diffusion XL in every way of keeping it, from shapes: `python bench/memory.py`.

Prints the table of docs/memory.md: four rows of 1024 px at once, a LoRA of rank 16 on all transformers of the U-Net.
"""

import torch
from owf.core import families
from owf.core.model.base import BaseChoice
from owf.core.model.blueprint import Blueprint, blueprint
from owf.core.model.footprint import BESIDES, LoraBytes, footprint
from owf.core.model.memory import TILE, Keeping

RANK, ROWS = 16, 4
"""A usual LoRA, and as many rows at once as small cards hold."""
WAYS = (
    Keeping(),
    Keeping(tile=TILE),
    Keeping("model"),
    Keeping("group", tile=TILE),
    Keeping(quantize="int8"),
    Keeping(quantize="int8", tile=TILE),
    Keeping("model", "int8"),
)


def lora_bytes(base: Blueprint) -> LoraBytes:
    """Return what a LoRA on every linear layer of the U-Net's transformers changes and has."""
    named = base.components["unet"].named_modules()
    layers = [m for name, m in named if ".transformer_blocks." in name and isinstance(m, torch.nn.Linear)]
    factors = sum(RANK * (layer.in_features + layer.out_features) for layer in layers)
    return LoraBytes(sum(layer.weight.numel() for layer in layers), factors)


def main() -> None:
    hub_id = families.get("sdxl").hub_id
    assert hub_id is not None
    base = blueprint(BaseChoice(hub_id, "hub"))
    lora = lora_bytes(base)
    for keeping in WAYS:
        types = (torch.float32, torch.bfloat16, torch.float16)
        needed = [(footprint(base, t, ROWS, keeping, lora).peak + BESIDES) / 2**30 for t in types]
        print(f"| {keeping.words()} | " + " | ".join(f"{value:.1f}" for value in needed) + " |")


if __name__ == "__main__":
    main()
