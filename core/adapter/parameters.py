"""Changed Parameters made from changes: summed in float32, rounded once to the base's type."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .delta import Delta

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter


def changed_parameters(owner: "Module", changes: "Iterable[tuple[Delta, float]]") -> "dict[str, Parameter]":
    """Return the Parameters that `owner` has under these changes, each times its strength, by name."""
    weights: list[Tensor] = []
    biases: list[Tensor] = []
    for change, strength in changes:
        weights.append(change.weight * strength if strength != 1 else change.weight)
        if change.bias is not None:
            biases.append(change.bias * strength if strength != 1 else change.bias)
    found = {"weight": weights, "bias": biases}
    return {name: _changed(owner, name, values) for name, values in found.items() if values}


def _changed(owner: "Module", name: str, changes: "list[Tensor]") -> "Parameter":
    import torch

    base, weight = owner._parameters[name], owner._parameters["weight"]
    assert weight is not None
    total = sum(changes[1:], changes[0])
    value = total if base is None else base.detach() + total
    return torch.nn.Parameter(value.to((weight if base is None else base).dtype), requires_grad=False)
