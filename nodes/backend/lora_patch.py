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
from .model.transformer import home, rows_of


class LayerPatch(WeightAdapterBase):
    """What one module of a file does to one weight, or to some rows of it, computed whenever ComfyUI loads it."""

    name = "owf"

    def __init__(self, module: AdapterModule, tensors: dict[str, torch.Tensor], rows: torch.Tensor | None) -> None:
        self.loaded_keys, self.weights = set(tensors), list(tensors.values())
        self._module, self._tensors, self._rows = module, tensors, rows

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
        rows = self._rows
        owner, own = nn.Module(), weight if rows is None else rows_of(weight, rows)
        owner._parameters.update(weight=own, bias=None)  # type: ignore[arg-type] - a Parameter cannot be made here
        change = function(strength * delta(self._module, owner, self._tensors.__getitem__).weight).to(weight.dtype)
        return weight + change if rows is None else weight.index_add(0, rows.to(weight.device), change)


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
    # A module of a file is one patch, however many of diffusers' layers it changes: here these are one.
    pairs = {pair.module.name: pair for pair in matching.matched}
    with torch.no_grad(), matching.reading() as load:
        for pair in pairs.values():
            read = load[pair.module.source]
            tensors = {entry.name: read(entry.name).clone() for entry in pair.module.slots.values()}
            layer, rows = _home(pair)
            found[layer].append({"weight": LayerPatch(pair.module, tensors, rows), **_bias(pair, tensors)})
    return found


def _home(pair: MatchedModule) -> tuple[nn.Module, torch.Tensor | None]:
    """Return the layer of ComfyUI's that a module of a file changes, and its rows in the module's order; None: all."""
    if pair.whole is None:
        return home(pair.owner)
    homes, parts = [home(owner) for owner in pair.whole.owners], []
    layer = homes[0][0]
    for (own, rows), half in zip(homes, pair.whole.halves, strict=True):
        if own is not layer:
            raise InvalidError(
                f"{inert(pair.module.stem, 120)} changes several layers at once, which ComfyUI has apart."
            )
        rows = torch.arange(_outputs(layer)) if rows is None else rows
        parts.append(rows if half is None else rows.chunk(2)[half])
    return layer, torch.cat(parts)


def _bias(pair: MatchedModule, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    if not pair.module.changes_bias:
        return {}
    layer, rows = _home(pair)
    change = delta(pair.module, pair.whole or pair.owner, tensors.__getitem__).bias
    assert change is not None, "the module says that it changes the bias"
    if rows is not None:
        change = change.new_zeros(_outputs(layer)).index_add(0, rows.to(change.device), change)
    return {"bias": ("diff", (change,))}


def _outputs(layer: nn.Module) -> int:
    weight = layer._parameters["weight"]
    assert weight is not None, "what a file changes has a weight"
    return weight.shape[0]
