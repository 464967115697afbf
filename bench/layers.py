"""Layers of the usual bases, from the libraries' own classes on the meta device: `python bench/layers.py`.

Writes `layers.json` of every family, by which `owf-audit inspect` says what of a file has no place in its base.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import checkout  # noqa: F401
import torch
from owf.core import families
from owf.core.adapter.change.weights import has_weight, weight_shape
from owf.core.adapter.naming.layer_tables import Table, packed
from owf.core.adapter.naming.usual_layers import LAYERS
from owf.core.model.base import CONFIGS, BaseChoice
from owf.core.model.blueprint import SHAPES, blueprint

_14B: dict[str, Any] = {"num_attention_heads": 40, "ffn_dim": 13824, "num_layers": 40}
_1B: dict[str, Any] = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
_5B: dict[str, Any] = {"num_attention_heads": 24, "ffn_dim": 14336, "num_layers": 30}
_WAN = "WanTransformer3DModel"
_VACE = "WanVACETransformer3DModel"
NOT_AUDITED: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "wan": {
        "Wan 2.1 1.3B": (_WAN, _1B),
        "Wan 14B": (_WAN, _14B),  # of Wan 2.1, and both halves of Wan 2.2
        "Wan 2.1 14B from pictures": (_WAN, {**_14B, "in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 5120}),
        "Wan 2.2 5B": (_WAN, {**_5B, "in_channels": 48, "out_channels": 48}),
        "Wan 2.1 VACE 1.3B": (_VACE, {**_1B, "vace_layers": list(range(0, 30, 2))}),
        "Wan VACE 14B": (_VACE, {**_14B, "vace_layers": list(range(0, 40, 5))}),
    },
    # Classes' own defaults are these bases.
    "flux2": {"FLUX.2-dev": ("Flux2Transformer2DModel", {})},
    "qwen_image_21": {"Qwen-Image 2.1": ("QwenImage21Transformer2DModel", {})},
    "sdxl_refiner": {
        "the refiner of Stable Diffusion XL": (
            "UNet2DConditionModel",
            {
                "down_block_types": ("DownBlock2D", *["CrossAttnDownBlock2D"] * 2, "DownBlock2D"),
                "up_block_types": ("UpBlock2D", *["CrossAttnUpBlock2D"] * 2, "UpBlock2D"),
                "block_out_channels": (384, 768, 1536, 1536),
                "attention_head_dim": (6, 12, 24, 24),
                "transformer_layers_per_block": 4,
                "cross_attention_dim": 1280,
                "use_linear_projection": True,
                "addition_embed_type": "text_time",
                "addition_time_embed_dim": 256,
                "projection_class_embeddings_input_dim": 2560,
            },
        )
    },
}
"""Family without a pipeline -> title of a base -> class of its denoiser, and settings as they are published: those of
Wan in diffusers' scripts/convert_wan_to_diffusers.py. The others have layers of the names of audited families'."""


def components_of(family: str) -> dict[str, Mapping[str, torch.nn.Module]]:
    """Return the components of a family's usual bases by title, on the meta device."""
    import diffusers

    if family not in NOT_AUDITED:
        known = families.get(family)
        return {known.title: blueprint(BaseChoice(str(known.hub_id), "hub")).components}
    with torch.device("meta"):
        return {
            title: {_component(name): getattr(diffusers, name)(**settings)}
            for title, (name, settings) in NOT_AUDITED[family].items()
        }


def _component(name: str) -> str:
    return "unet" if name.startswith("UNet") else "transformer"


def tables_of(family: str) -> dict[str, dict[str, Table]]:
    """Return what `layers.json` of a family holds."""
    return {
        title: {component: packed(_layers(root)) for component, root in components.items()}
        for title, components in components_of(family).items()
    }


def _layers(root: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    found = {name: weight_shape(module) for name, module in root.named_modules() if name and has_weight(module)}
    return {name: shape for name, shape in found.items() if shape is not None}


def place_of(family: str) -> Path:
    """Return where the layers of a family's usual bases are written down."""
    folder = next((root / family for root in (CONFIGS, SHAPES) if (root / family).is_dir()), SHAPES / family)
    return folder / LAYERS


if __name__ == "__main__":
    for name in (*(family.name for family in families.audited()), *NOT_AUDITED):
        place_of(name).parent.mkdir(exist_ok=True)
        place_of(name).write_text(json.dumps(tables_of(name), indent=1) + "\n", encoding="utf-8")
        print(place_of(name))
