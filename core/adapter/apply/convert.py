"""Transformer LoRAs in the names of other programs, turned into PEFT keys by diffusers' own converters.

Their fused layers (one `qkv` where diffusers has three) need tensors split, which diffusers does well for
plain LoRA. What its converters would drop in silence is refused here instead.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import AdapterError
from ...text import inert
from ..adapter import Adapter
from ..containers.memory import in_memory
from ..containers.source import all_reading
from ..contents import collect
from ..opening import Part

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_MIXINS = {
    "ChromaTransformer2DModel": "FluxLoraLoaderMixin",
    "SD3Transformer2DModel": "SD3LoraLoaderMixin",
    "QwenImageTransformer2DModel": "QwenImageLoraLoaderMixin",
    "Lumina2Transformer2DModel": "Lumina2LoraLoaderMixin",
    "HiDreamImageTransformer2DModel": "HiDreamImageLoraLoaderMixin",
    "HunyuanVideoTransformer3DModel": "HunyuanVideoLoraLoaderMixin",
    "WanTransformer3DModel": "WanLoraLoaderMixin",
    "LTXVideoTransformer3DModel": "LTXVideoLoraLoaderMixin",
}
"""Class of the transformer -> class in diffusers that converts LoRA files for it. Of those that are not here, a family
says itself what the original code calls their layers."""


def converted(adapter: Adapter, transformer: "Module") -> Adapter:
    """Return the adapter with its transformer modules renamed and split as `transformer` has them.

    Reads the whole file into memory. Raises AdapterError where diffusers has no converter for it, or one
    that fails or would lose part of the file.
    """
    if any(not module.algorithm.diffusers_converts or module.is_dora for module in adapter.modules) or adapter.broken:
        raise AdapterError("not supported yet: in these names only plain LoRA can be applied to a transformer")
    tensors = _convert(_tensors(adapter), type(transformer).__name__)
    contents = collect((Part(in_memory(adapter.path, tensors)),))
    if contents.unknown or contents.bundled or contents.twice or contents.broken or not contents.modules:
        raise AdapterError("not supported yet: diffusers converts only a part of this file")
    return replace(adapter, modules=contents.modules)


def _tensors(adapter: Adapter) -> "dict[str, Tensor]":
    with all_reading(module.source for module in adapter.modules) as loads:
        return {
            entry.name: loads[module.source](entry.name)
            for module in adapter.modules
            for entry in module.slots.values()
        }


def _convert(tensors: "dict[str, Tensor]", transformer: str) -> "dict[str, Tensor]":
    from diffusers.loaders import lora_pipeline

    mixin: Any = getattr(lora_pipeline, _MIXINS.get(transformer, ""), None)
    if mixin is None:
        raise AdapterError(f"not supported yet: diffusers has no LoRA converter for {inert(transformer, 60)}")
    try:
        state, alphas = _with_alphas(mixin.lora_state_dict(tensors, return_alphas=True))
    except Exception as error:  # converters raise whatever they stumble over in a stranger's file
        reason = inert(f"{type(error).__name__} {error}")
        raise AdapterError(f"not supported yet: diffusers cannot convert it: {reason}") from error
    return {**state, **alphas}


def _with_alphas(outcome: object) -> "tuple[Mapping[str, Tensor], Mapping[str, Tensor]]":
    """Return state dict and alphas, which older and newer converters return together or not."""
    import torch

    state, alphas = outcome if isinstance(outcome, tuple) else (outcome, None)
    if not isinstance(state, dict):
        raise TypeError("no state dict")
    return state, {name: torch.as_tensor(value) for name, value in (alphas or {}).items()}
