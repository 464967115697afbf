"""A LoRA file as patches of ComfyUI's models, by OWF's own reader: every format means what `owf-audit` says it does.

ComfyUI's loader skips names that it does not know, with a line in its log; an audit must not call that harmless.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from comfy.weight_adapter import WeightAdapterBase
from torch import nn

from ...core.adapter import Adapter
from ...core.adapter.apply.match import MatchedModule, Matching, match_modules
from ...core.adapter.change.delta import delta
from ...core.adapter.module import AdapterModule
from ...core.errors import InvalidError
from ...core.text import counted, inert
from .model.denoiser import ComfyDenoiser, Pair


class LayerPatch(WeightAdapterBase):
    """What one module of a file does to one weight, computed whenever ComfyUI loads that weight."""

    name = "owf"

    def __init__(self, module: AdapterModule, tensors: dict[str, torch.Tensor]) -> None:
        self.loaded_keys, self.weights = set(tensors), list(tensors.values())
        self._module, self._tensors = module, tensors

    def calculate_weight(
        self,
        weight: torch.Tensor,
        key: str,
        strength: float,
        strength_model: float,
        offset: Any,
        function: Callable[[torch.Tensor], torch.Tensor],
        intermediate_dtype: torch.dtype = torch.float32,
        original_weight: Any = None,
    ) -> torch.Tensor:
        """Return the weight plus `strength` times the change."""
        owner = nn.Module()
        owner._parameters.update(weight=weight, bias=None)  # type: ignore[arg-type] - a Parameter cannot be made here
        change = delta(self._module, owner, self._tensors.__getitem__).weight
        return weight + function(strength * change).to(weight.dtype)


def with_lora(denoiser: ComfyDenoiser, adapter: Adapter, strength: float) -> Pair:
    """Return the denoiser's base, which must be loaded, with the file at a strength; the base stays as it is.

    Raises InvalidError where ComfyUI lacks a weight that the file changes.
    """
    matching, base = match_modules(adapter, denoiser.components), denoiser.base
    tuned = Pair(base.model.clone(), base.clip.clone())
    patches = _patches(matching)
    for patcher, root in ((tuned.model, base.model.model), (tuned.clip, base.clip.cond_stage_model)):
        # A weight takes one patch a call, and a file may have several modules for it.
        rounds: dict[int, dict[str, Any]] = defaultdict(dict)
        for name, module in root.named_modules():
            for number, changes in enumerate(patches.pop(module, ())):
                rounds[number].update({f"{name}.{leaf}": change for leaf, change in changes.items()})
        for changes in rounds.values():
            _add(patcher, changes, strength)
    if patches:
        raise InvalidError(f"{inert(adapter.path.name)} changes {len(patches)} modules that this MODEL does not have.")
    return tuned


def _add(patcher: Any, patches: dict[str, Any], strength: float) -> None:
    missing = set(patches) - set(patcher.add_patches(patches, strength))
    if missing:
        raise InvalidError(f"ComfyUI did not take the change of {counted(len(missing), 'weight')}: {min(missing)}.")


def _patches(matching: Matching) -> dict[nn.Module, list[dict[str, Any]]]:
    """Return the changes of weight and bias for each live module."""
    found: dict[nn.Module, list[dict[str, Any]]] = defaultdict(list)
    with torch.no_grad(), matching.reading() as load:
        for pair in matching.matched:
            read = load[pair.module.source]
            tensors = {entry.name: read(entry.name).clone() for entry in pair.module.slots.values()}
            found[pair.owner].append({"weight": LayerPatch(pair.module, tensors), **_bias(pair, tensors)})
    return found


def _bias(pair: MatchedModule, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    if not pair.module.changes_bias:
        return {}
    return {"bias": ("diff", (delta(pair.module, pair.owner, tensors.__getitem__).bias,))}
