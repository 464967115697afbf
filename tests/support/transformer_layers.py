"""The layers of transformers in their true sizes: names and shapes as diffusers' classes have them.

`transformer_layers.json` beside this file holds them, so that tests of names need no torch;
`python transformer_layers.py` writes it anew, and a test compares the two.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).with_suffix(".json")
_KLEIN = {"guidance_embeds": False}
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "flux": ("FluxTransformer2DModel", {"guidance_embeds": True}),
    "flux2": ("Flux2Transformer2DModel", {}),
    "flux2_klein": (
        "Flux2Transformer2DModel",
        {**_KLEIN, "num_layers": 5, "num_single_layers": 20, "num_attention_heads": 24, "joint_attention_dim": 7680},
    ),
    "flux2_klein_9b": (
        "Flux2Transformer2DModel",
        {**_KLEIN, "num_layers": 8, "num_single_layers": 24, "num_attention_heads": 32, "joint_attention_dim": 12288},
    ),
    "flux3": ("Flux3Transformer2DModel", {}),
    "chroma": ("ChromaTransformer2DModel", {}),
    "z_image": ("ZImageTransformer2DModel", {}),
    "krea2": ("Krea2Transformer2DModel", {}),
    "anima": (
        "CosmosTransformer3DModel",
        {"in_channels": 16, "num_attention_heads": 16, "num_layers": 28, "text_embed_dim": 1024},
    ),
    "qwen_image": ("QwenImageTransformer2DModel", {}),
    "qwen_image_21": ("QwenImage21Transformer2DModel", {}),
    "ideogram4": ("Ideogram4Transformer2DModel", {}),
    "ernie_image": ("ErnieImageTransformer2DModel", {}),
    "wan": ("WanTransformer3DModel", {}),
}
"""Family -> class of diffusers, and the settings of its usual base where they are not the class's own defaults."""
_BLOCK = re.compile(r"(.+?)\.(\d+)\.(.+)")

Layers = dict[str, tuple[int, ...]]
"""Dotted name of a layer -> shape of its weight."""


def built(family: str) -> Layers:
    """Return the layers of a family's transformer, built on torch's meta device."""
    import diffusers
    import torch

    name, settings = SETTINGS[family]
    with torch.device("meta"):
        model = getattr(diffusers, name)(**settings)
    kinds = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.Conv3d)
    return {name: tuple(part.weight.shape) for name, part in model.named_modules() if isinstance(part, kinds)}


def folded(layers: Layers) -> dict[str, Any]:
    """Return layers with those of like blocks once, under an N, beside how many blocks there are."""
    depth: dict[str, int] = {}
    once: dict[str, list[int]] = {}
    for name, shape in layers.items():
        found = _BLOCK.fullmatch(name)
        if found and found[1].endswith(("blocks", "layers", "refiner", "image", "image_cond")):
            depth[found[1]] = max(depth.get(found[1], 0), int(found[2]) + 1)
            name = f"{found[1]}.N.{found[3]}"
        once[name] = list(shape)
    return {"depth": depth, "layers": once}


def recorded(family: str) -> Layers:
    """Return the recorded layers of a family's transformer."""
    return dict(_unfolded(json.loads(RECORDED.read_text(encoding="utf-8"))[family]))


def _unfolded(family: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, shape in family["layers"].items():
        blocks, _, inside = name.partition(".N.")
        numbers = range(family["depth"][blocks]) if inside else [None]
        for number in numbers:
            yield (name if number is None else f"{blocks}.{number}.{inside}"), tuple(shape)


if __name__ == "__main__":
    text = json.dumps({family: folded(built(family)) for family in SETTINGS}, indent=1, sort_keys=True)
    RECORDED.write_text(
        re.sub(r"\[\s+([\d,\s]+?)\s+\]", lambda f: f"[{', '.join(f[1].split())}]".replace(",,", ","), text) + "\n"
    )
