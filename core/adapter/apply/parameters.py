"""Changed Parameters made from changes: summed in float32, rounded once to the base's type."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .delta import Delta

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter


def changed_parameters(owner: "Module", changes: "Iterable[tuple[Delta, float]]") -> "dict[str, Parameter]":
    """Return the Parameters that `owner` has under these changes, each times its strength, by name.

    Consumes the changes: their memory becomes that of the Parameters, because the system takes longer to hand
    out fresh pages for a second set of weights than the algebra takes.
    """
    weights: list[Tensor] = []
    biases: list[Tensor] = []
    for change, strength in changes:
        weights.append(_scaled(change.weight, strength))
        if change.bias is not None:
            biases.append(_scaled(change.bias, strength))
    found = {"weight": weights, "bias": biases}
    return {name: _changed(owner, name, values) for name, values in found.items() if values}


def _scaled(change: "Tensor", strength: float) -> "Tensor":
    return change if strength == 1 else change.mul_(strength)


def _changed(owner: "Module", name: str, changes: "list[Tensor]") -> "Parameter":
    import torch

    base, weight = owner._parameters[name], owner._parameters["weight"]
    assert weight is not None
    total = changes[0]
    for change in changes[1:]:
        total.add_(change)
    value = total if base is None else _onto(base.detach(), total)
    return torch.nn.Parameter(value.to((weight if base is None else base).dtype), requires_grad=False)


def _onto(base: "Tensor", total: "Tensor") -> "Tensor":
    """Return base + total, in the memory of `total` unless the base's elements are in another order."""
    return total.add_(base) if total.stride() == base.stride() else base + total
