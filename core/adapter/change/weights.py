"""The weight of a live layer: a Parameter, one rounded to few bits, one that the layer makes, or several layers'."""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(frozen=True, eq=False)
class Fused:
    """Layers that stand above one another, as the one layer that they are in the original code.

    FLUX and its relatives compute queries, keys and values with one matrix there, of which diffusers makes three. What
    a file says of the one is computed on it as a whole, whatever the algorithm, and each layer takes its rows.
    """

    owners: "tuple[Module, ...]"
    """The layers, that of the first rows first; one may stand here twice, with each of its halves."""
    halves: tuple[int | None, ...]
    """Which half of a layer's rows it is, where the original code has them the other way round; None for all."""

    def parameter(self, name: str) -> "Tensor | None":
        """Return the whole weight or bias, detached; None where a layer has none."""
        import torch

        parts = [_read(owner, name) for owner in self.owners]
        if any(part is None for part in parts):
            return None
        known = (part for part in parts if part is not None)
        return torch.cat([_half(part, half) for part, half in zip(known, self.halves, strict=True)])

    def shape(self) -> tuple[int, ...] | None:
        """Return the shape of the whole weight; None where the layers' are no matrices of the same inputs."""
        shapes = [weight_shape(owner) for owner in self.owners]
        known = [shape for shape in shapes if shape is not None and len(shape) == 2]
        if len(known) < len(shapes) or len({shape[1] for shape in known}) != 1:
            return None
        return sum(self._rows()), known[0][1]

    def share(self, owner: "Module", whole: "Tensor") -> "Tensor":
        """Return what of a whole weight or bias, or of another tensor with its rows, is that of one of the layers."""
        import torch

        ends = pairwise(accumulate(self._rows(), initial=0))
        parts = zip(self.owners, self.halves, ends, strict=True)
        mine = sorted((half or 0, slice(*rows)) for part, half, rows in parts if part is owner)
        return torch.cat([whole[rows] for _, rows in mine])

    def _rows(self) -> list[int]:
        shapes = (weight_shape(owner) or (0,) for owner in self.owners)
        return [shape[0] if half is None else shape[0] // 2 for shape, half in zip(shapes, self.halves, strict=True)]


Owner: TypeAlias = "Module | Fused"
"""What a module of a file changes."""


def makes_weight(layer: "Module") -> bool:
    """Return whether a linear layer holds other numbers than its weight, which it makes of them each time it is asked.

    So are those of a base whose file has eight bits (`core/model/backends/kept_as_stored.py`). Nothing takes the place
    of such a weight. A layer that merely has none, as hosts leave it until they load it, is not one of them.
    """
    from torch.nn import Linear

    return isinstance(layer, Linear) and isinstance(getattr(type(layer), "weight", None), property)


def has_weight(layer: "Module") -> bool:
    """Return whether a module is a layer with a weight."""
    return "weight" in layer._parameters or makes_weight(layer)


def weight_shape(owner: Owner) -> tuple[int, ...] | None:
    """Return the shape of a layer's weight; None where it has no floating-point weight that can be read."""
    if isinstance(owner, Fused):
        return owner.shape()
    if makes_weight(owner):
        layer: Any = owner
        return layer.out_features, layer.in_features
    weight: Any = owner._parameters.get("weight")
    if weight is None:
        return None
    if _is_four_bits(weight):
        return tuple(weight.quant_state.shape)
    return tuple(weight.shape) if weight.is_floating_point() else None


def read_weight(owner: Owner) -> "Tensor":
    """Return a layer's weight as the layer computes with it, detached: a plain tensor, where the weight lies."""
    weight = owner.parameter("weight") if isinstance(owner, Fused) else _read(owner, "weight")
    assert weight is not None, "misfit refuses layers without a weight"
    return weight


def read_bias(owner: Owner) -> "Tensor | None":
    """Return a layer's bias, detached; None where it has none."""
    return owner.parameter("bias") if isinstance(owner, Fused) else _read(owner, "bias")


def can_have_bias(owner: Owner) -> bool:
    """Return whether layers of this kind may have a bias."""
    layers = owner.owners if isinstance(owner, Fused) else (owner,)
    return all("bias" in layer._parameters for layer in layers)


def _read(owner: "Module", name: str) -> "Tensor | None":
    made: Any = owner
    parameter: Any = made.weight if name == "weight" and makes_weight(owner) else owner._parameters.get(name)
    if parameter is None:
        return None
    if type(parameter).__module__.startswith("torchao."):  # in few bits: what is added to it would be rounded too
        return parameter.detach().dequantize()
    if _is_four_bits(parameter):
        from bitsandbytes.functional import dequantize_4bit  # pyright: ignore[reportMissingImports]

        return dequantize_4bit(parameter.data, parameter.quant_state)
    return parameter.detach()


def _is_four_bits(parameter: Any) -> bool:
    """Return whether a weight is one of bitsandbytes', which packs two of them into a byte and knows their shape."""
    return (
        type(parameter).__module__.startswith("bitsandbytes.") and getattr(parameter, "quant_state", None) is not None
    )


def _half(parameter: "Tensor", half: int | None) -> "Tensor":
    return parameter if half is None else parameter.chunk(2)[half]
