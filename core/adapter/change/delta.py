"""The change of one live module: factors read, algebra done, magnitudes applied, in float32; and its new Parameters."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from ..containers.source import Loader
from ..module import AdapterModule
from .fit import shape_misfit
from .weights import Owner, can_have_bias, read_bias, read_weight, weight_shape

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module, Parameter


@dataclass(frozen=True)
class Delta:
    """What one adapter adds to one live module at strength 1; its tensors share no memory with base or file."""

    weight: "Tensor"
    """Change of the weight, in its shape, float32 (float64 for float64 weights), on its device."""
    bias: "Tensor | None"
    """Change of the bias in the same type; None when the bias stays."""


def delta(module: AdapterModule, owner: Owner, load: Loader, device: "torch.device | None" = None) -> Delta:
    """Return what `module` adds to `owner`, on the weight's device unless told; `misfit` has checked the shapes."""
    import torch

    weight = read_weight(owner)
    device = weight.device if device is None else device
    wide = torch.float64 if weight.dtype == torch.float64 else torch.float32
    base = weight.to(device=device, dtype=wide)
    factors = read_factors(module, weight, load, device, wide)
    change = module.algorithm.change(base, factors, module.scale).reshape(base.shape)
    if module.is_dora:
        change = _decomposed(base, change, factors, module.algorithm.magnitude_axis)
    return Delta(change, bias_change(module, owner, factors))


def read_factors(
    module: AdapterModule, like: "Tensor", load: Loader, device: "torch.device", dtype: "torch.dtype"
) -> "dict[str, Tensor]":
    """Return the factors of a module as it is computed with them, by slot: fake where the tensor `like` is."""
    import torch

    factors = {
        slot: _of_kind(like, load(entry.name)).to(device=device, dtype=dtype) for slot, entry in module.factors.items()
    }
    if module.up_exchanged and "up" in factors:
        factors["up"] = torch.cat(factors["up"].chunk(2)[::-1])
    return factors


def _of_kind(weight: "Tensor", factor: "Tensor") -> "Tensor":
    from torch._subclasses.fake_tensor import FakeTensor

    return weight.fake_mode.from_tensor(factor) if isinstance(weight, FakeTensor) else factor


def misfit(module: AdapterModule, owner: Owner) -> str | None:
    """Return why `module` cannot change `owner`, from shapes alone; None when it can."""
    shape = weight_shape(owner)
    if shape is None:
        return "the base has no plain floating-point weight there"
    if module.bias_missing and read_bias(owner) is not None:
        return "its configuration says that the layer's bias was trained, but the file does not hold it"
    return shape_misfit(module, shape, can_have_bias(owner))


def _decomposed(base: "Tensor", change: "Tensor", factors: "dict[str, Tensor]", axis: int) -> "Tensor":
    """Return the change with base + change rescaled to the learned magnitudes (DoRA, arXiv:2402.09353).

    LyCORIS keeps one magnitude per output, its first versions and ComfyUI one per input, which the shape of the
    tensor tells: (out, 1, ...) or (1, in, ...). PEFT keeps one per output, which is `axis` 0 of most weights.
    """
    import torch

    moved = base + change
    learned = factors["magnitude"] if "magnitude" in factors else factors["dora"]
    if "magnitude" not in factors and _is_by_input(tuple(learned.shape), tuple(base.shape)):
        axis = 1
    others = [dim for dim in range(base.ndim) if dim != axis]
    norm = torch.linalg.vector_norm(moved, dim=others, keepdim=True) + torch.finfo(moved.dtype).eps
    return moved * (learned.reshape(norm.shape) / norm) - base


def _is_by_input(magnitudes: tuple[int, ...], weight: tuple[int, ...]) -> bool:
    """Return whether there is one magnitude per input: shape (1, in, ...), or only that count fits."""
    if len(weight) < 2 or prod(magnitudes) != weight[1]:
        return False
    return prod(magnitudes) != weight[0] or (len(magnitudes) > 1 and magnitudes[0] == 1)


def bias_change(module: AdapterModule, owner: Owner, factors: "dict[str, Tensor]") -> "Tensor | None":
    """Return what the file adds to the layer's bias; None where the bias stays."""
    if module.algorithm.own_bias in factors:
        bias = read_bias(owner)
        own = factors[module.algorithm.own_bias].flatten()
        return module.algorithm.bias_change(None if bias is None else bias.to(own.device), own)
    if "up_bias" in factors:
        return factors["up_bias"].flatten() * module.scale
    return factors["diff_b"].flatten().clone() if "diff_b" in factors else None


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
