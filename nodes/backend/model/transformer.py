"""ComfyUI's transformers under diffusers' names, by which LoRA files are read: what is fused here is several there."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

import torch
from torch import nn

from ....core.families import Layer, Pipeline
from .alias import Alias

_NUMBER = "{n}"


class Cut(Mapping[str, torch.Tensor | None]):
    """Some rows of a layer's parameters, read anew each time: ComfyUI moves weights between main memory and device."""

    def __init__(self, layer: nn.Module, rows: torch.Tensor) -> None:
        self.layer, self.rows = layer, rows

    def __getitem__(self, name: str) -> torch.Tensor | None:
        parameter = self.layer._parameters[name]
        return None if parameter is None else rows_of(parameter.detach(), self.rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self.layer._parameters)

    def __len__(self) -> int:
        return len(self.layer._parameters)


class PartOfLayer(nn.Module):
    """A layer of diffusers' that is some rows (N,) of one of ComfyUI's."""

    def __init__(self, layer: nn.Module, rows: torch.Tensor) -> None:
        super().__init__()
        self.cut = Cut(layer, rows)
        self.__dict__["_parameters"] = self.cut


def home(module: nn.Module) -> tuple[nn.Module, torch.Tensor | None]:
    """Return the layer of ComfyUI's that a module of such a tree is, and which of its rows; None for all."""
    if isinstance(module, PartOfLayer):
        return module.cut.layer, module.cut.rows
    return module, None


def rows_of(values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return the rows (N,) of a tensor; a view where they follow each other."""
    first, last = int(rows[0]), int(rows[-1])
    if torch.equal(rows, torch.arange(first, last + 1)):
        return values[first : last + 1]
    return values[rows.to(values.device)]


def in_diffusers_names(network: nn.Module, pipeline: Pipeline) -> nn.Module:
    """Return a tree of a transformer's layers as the class of diffusers that its pipeline has calls them.

    Layers that neither name nor cut differently, or whose sizes do not allow the cut, have the names that they have.
    What diffusers does not count to the transformer is left out.
    The modules are ComfyUI's own, and parts of them: only the tree above is made here.
    """
    kind = pipeline.parts[0].classes[0]
    tree = type(kind, (Alias,), {})()  # names of LoRA files are looked up by the name of the class
    inner = tuple(part.prefix for part in pipeline.parts if part.is_inner)
    layers = {name: part for name, part in network.named_modules() if name and part._parameters}
    layers = {name: part for name, part in layers.items() if not name.startswith(inner)}
    parts = {name: _cut(layers[name], live) for name, live in _original(pipeline.layers, layers)}
    for name in layers:
        if parts.get(name):
            for live, part in parts[name].items():
                tree.place(live.split("."), part)
        else:
            parent, _, leaf = name.rpartition(".")
            tree.graft(name.split("."), network.get_submodule(parent), leaf)
    return tree


def inner_parts(network: nn.Module, pipeline: Pipeline) -> dict[str, nn.Module]:
    """Return what diffusers does not count to the transformer, and its original code and ComfyUI do, by name."""
    return {part.name: network.get_submodule(part.prefix.removesuffix(".")) for part in pipeline.parts if part.is_inner}


def _original(known: Sequence[Layer], layers: Mapping[str, nn.Module]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the layers of a network that a family knows, each with what diffusers makes of it."""
    for layer in known:
        for number in count() if _NUMBER in layer.original else (0,):
            name = layer.original.replace(_NUMBER, str(number))
            if name not in layers:
                break
            yield name, tuple(live.replace(_NUMBER, str(number)) for live in layer.live)


def _cut(layer: nn.Module, live: Sequence[str]) -> dict[str, nn.Module]:
    """Return a layer under diffusers' name, or its parts under theirs; nothing where it cannot be so cut."""
    if len(live) == 1:
        return {live[0]: layer}
    weight = layer._parameters["weight"]
    assert weight is not None, "only layers with weights are of several"
    rows = torch.arange(weight.shape[0])
    halves = [name.rpartition("/") for name in live]
    if all(half for _, half, _ in halves):  # one layer there, with its halves in another order
        found = dict(zip((number for _, _, number in halves), rows.chunk(len(live)), strict=True))
        return {halves[0][0]: PartOfLayer(layer, torch.cat([found[number] for number in sorted(found)]))}
    # Query, key and value are each as wide as what they read, and behind them in one layer stands the rest.
    inputs, most = weight.shape[1], len(live) - 1
    sizes = [*[inputs] * most, len(rows) - most * inputs]
    if sizes[-1] <= 0 or (len(live) == len("qkv") and sizes[-1] != inputs):
        return {}
    return {name: PartOfLayer(layer, part) for name, part in zip(live, rows.split(sizes), strict=True)}
