"""The weight of a live layer, whatever holds it: a plain Parameter, or one that a library rounded to few bits."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def weight_shape(owner: "Module") -> tuple[int, ...] | None:
    """Return the shape of a layer's weight; None where it has no floating-point weight that can be read."""
    weight: Any = owner._parameters.get("weight")
    if weight is None:
        return None
    return tuple(weight.shape) if weight.is_floating_point() else None


def read_weight(owner: "Module") -> "Tensor":
    """Return a layer's weight as the layer computes with it, detached: a plain tensor, where the weight lies."""
    weight: Any = owner._parameters["weight"]
    if type(weight).__module__.startswith("torchao."):  # in few bits: what is added to it would be rounded too
        return weight.detach().dequantize()
    return weight.detach()
