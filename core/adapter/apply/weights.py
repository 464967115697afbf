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
    state = getattr(weight, "quant_state", None)
    if state is not None:  # packed by bitsandbytes, two weights a byte
        return tuple(state.shape)
    return tuple(weight.shape) if weight.is_floating_point() else None


def read_weight(owner: "Module") -> "Tensor":
    """Return a layer's weight as the layer computes with it, detached: a plain tensor, where the weight lies."""
    weight: Any = owner._parameters["weight"]
    state = getattr(weight, "quant_state", None)
    if state is not None:
        from bitsandbytes.functional import dequantize_4bit  # pyright: ignore[reportMissingImports]

        return dequantize_4bit(weight.detach(), state)
    if is_rounded(owner):
        return weight.detach().dequantize()
    return weight.detach()


def is_rounded(owner: "Module") -> bool:
    """Return whether a library keeps the layer's weight in few bits: nothing can be added to it but by rounding."""
    weight = owner._parameters.get("weight")
    return getattr(weight, "quant_state", None) is not None or type(weight).__module__.startswith("torchao.")
