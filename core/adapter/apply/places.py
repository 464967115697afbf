"""Which live layer of a base a module of a file means."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ... import families
from ..change.weights import Fused, has_weight
from ..module import AdapterModule
from ..naming.names import DENOISERS, flatten
from .unexpected import LivePaths

if TYPE_CHECKING:
    import torch

Components = Mapping[str, "torch.nn.Module"]
"""The parts of a pipeline by name, such as `unet` and `text_encoder`."""


class Places:
    """The live modules of a base, by their own names and by those of the original code."""

    def __init__(self, components: Components) -> None:
        self._live = {
            (component, flatten(component, dotted)): owner
            for component, root in components.items()
            for dotted, owner in root.named_modules()
        }
        transformer = components.get("transformer")
        self._originals = families.Layers(() if transformer is None else families.layers_of(type(transformer).__name__))

    def owner_of(self, module: AdapterModule) -> "torch.nn.Module | Fused | None":
        """Return the live layer that a module changes, or the layers of which it changes one; None for none."""
        owner = self._live.get((module.component, module.path))
        if owner is not None:
            return _only_layer(owner) or owner
        return self._other_encoder(module) or self._in_original_names(module)

    def _other_encoder(self, module: AdapterModule) -> "torch.nn.Module | None":
        """Return the module of a T5, which files count as the third text encoder and Flux pipelines as the second."""
        if module.component != "text_encoder_3" or not module.path.startswith("encoder_block_"):
            return None
        return self._live.get(("text_encoder_2", module.path))

    def _in_original_names(self, module: AdapterModule) -> "torch.nn.Module | Fused | None":
        parts = self._originals.parts(module.path) if module.component == "transformer" else ()
        found = (self._live.get(("transformer", part.path)) for part in parts)
        owners = tuple(owner for owner in found if owner is not None)
        if not parts or len(owners) < len(parts):
            return None
        if len(owners) == 1 and parts[0].half is None:
            return owners[0]
        return Fused(owners, tuple(part.half for part in parts))

    def any_reads(self, owners: "Iterable[torch.nn.Module]") -> bool:
        """Return whether a module is part of what reads prompts: of any component but the denoiser."""
        readers = {owner for (component, _), owner in self._live.items() if component not in DENOISERS}
        return any(owner in readers for owner in owners)

    def live_paths(self) -> LivePaths:
        """Return the flattened paths of all layers, of what they belong to, and of rows of blocks."""
        from torch.nn import ModuleDict, ModuleList, Sequential

        layers: set[str] = set()
        parents: set[str] = set()
        lists: set[str] = set()
        for (_, path), owner in self._live.items():
            has_layers = any(map(has_weight, owner.children()))
            if has_weight(owner):
                layers.add(path)
            elif isinstance(owner, (ModuleDict, ModuleList, Sequential)) and not has_layers:
                lists.add(path)
            elif "_" in path and (has_layers or any(map(str.isdigit, path))):  # not a root, nor all blocks of one kind
                parents.add(path)
        return LivePaths(frozenset(layers), frozenset(parents), frozenset(lists))


def _only_layer(owner: "torch.nn.Module") -> "torch.nn.Module | None":
    """Return the one layer with weights in a list, such as `to_out`, whose number some programs leave out."""
    from torch.nn import ModuleList

    children = owner.children() if isinstance(owner, ModuleList) else ()
    layers = [child for child in children if has_weight(child)]
    return layers[0] if len(layers) == 1 else None
