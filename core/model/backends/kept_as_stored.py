"""Linear layers whose weights stay in eight bits as their file has them, and are widened each time they are asked.

What a layer computes with are the numbers that reading the file widened gives, bit for bit and on every device, in half
of the memory of 16 bits. No layer computes in eight bits, and only linear ones are kept so: see docs/design/memory.md.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

_KINDS = (torch.float8_e4m3fn, torch.float8_e5m2, torch.int8)
"""Types of eight bits whose numbers stand for values."""
_LACKING = ("mps",)
"""Devices of torch's that have no floating-point numbers of eight bits."""


@dataclass(frozen=True)
class Stored:
    """A tensor of a file, and what its numbers stand for."""

    numbers: torch.Tensor
    """As the file has them."""
    scale: torch.Tensor | None = None
    """What they are multiplied by, float32: one number, or one for each row; as many axes as the numbers have. None
    where they are the values."""
    group: int = 0
    """Inputs that were turned together before they were rounded (ConvRot); 0 where none were."""

    @property
    def rows(self) -> int:
        """How many rows it has; one where it has no axes."""
        return self.numbers.shape[0] if self.numbers.ndim else 1

    def widened(self, dtype: torch.dtype) -> torch.Tensor:
        """Return the values in a type; memory that is shared with the file where nothing is to be done."""
        if self.scale is None:
            return self.numbers.to(dtype)
        wide = self.numbers.to(torch.float32, copy=True)
        if self.group:
            wide = _turned_back(wide, self.group)
        return wide.mul_(self.scale).to(dtype)

    def split(self, rows: Sequence[int]) -> list["Stored"]:
        """Return so many rows each, one after another."""
        numbers = [part.contiguous() for part in self.numbers.split(list(rows))]
        if self.scale is None or len(self.scale) < sum(rows):
            return [Stored(part, self.scale, self.group) for part in numbers]
        scales = self.scale.split(list(rows))
        return [Stored(part, scale, self.group) for part, scale in zip(numbers, scales, strict=True)]


def joined(parts: Sequence[Stored]) -> Stored | None:
    """Return the weight of a linear layer whose rows are those of the parts; None where they cannot stay as stored."""
    first = parts[0]
    kinds = {(part.numbers.dtype, part.group, part.scale is None) for part in parts}
    if len(kinds) > 1 or first.numbers.dtype not in _KINDS or first.numbers.ndim != 2:
        return None
    if len(parts) == 1:
        return first
    numbers = torch.cat([part.numbers.view(torch.uint8) for part in parts]).view(first.numbers.dtype)
    scales = [part.scale.expand(len(part.numbers), 1) for part in parts if part.scale is not None]
    return Stored(numbers, torch.cat(scales) if scales else None, first.group)


def _turned_back(numbers: torch.Tensor, group: int) -> torch.Tensor:
    """Return whole numbers (rows, inputs) as they were before each group of inputs was turned (ConvRot).

    A group is turned by a regular Hadamard matrix, the Kronecker power of the one of four rows, over its norm:
    symmetric and orthogonal, its own inverse. Sums of whole numbers are exact in float32 whatever their order, and so
    the same on every device; of numbers that are scaled already they would not be.
    """
    power = round(math.log(group, 4))
    found = numbers.reshape(len(numbers), -1, *[4] * power)
    for axis in range(2, 2 + power):  # a row of the one of four: ones, and -1 in the place opposite
        found = found.flip(axis).mul_(-2).add_(found.sum(axis, keepdim=True))
    return found.reshape(numbers.shape).div_(2**power)


class StoredLinear(nn.Linear):
    """A linear layer that holds its weight in eight bits.

    Its numbers are held as bytes: whoever gives a model another type leaves whole numbers alone. `like` follows the
    type, and is the one that the layer computes in.
    """

    numbers: nn.Parameter
    scale: torch.Tensor | None
    like: torch.Tensor

    def __init__(self, stored: Stored, bias: nn.Parameter | None, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)  # a linear layer's own would make a weight
        self.out_features, self.in_features = stored.numbers.shape
        self._kind, self._group = stored.numbers.dtype, stored.group
        self.numbers = nn.Parameter(_bytes(stored.numbers), requires_grad=False)
        self.register_buffer("scale", None if stored.scale is None else _bytes(stored.scale), persistent=False)
        self.register_buffer("like", torch.empty(0, dtype=dtype, device=stored.numbers.device), persistent=False)
        self.register_parameter("bias", bias)

    @property
    def stored(self) -> Stored:
        """The weight as it is held."""
        scale = None if self.scale is None else self.scale.view(torch.float32)
        return Stored(self.numbers.view(self._kind), scale, self._group)

    @property
    def weight(self) -> torch.Tensor:  # pyright: ignore[reportIncompatibleVariableOverride] - made when it is asked
        """The weight that the layer computes with, made anew each time."""
        return self.stored.widened(self.like.dtype)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the layer's output."""
        return _Product.apply(input, self.bias, self.stored, self.like.dtype)


def widening_bytes(stored: Stored, size: int) -> int:
    """Return the bytes that are alive while a weight is widened to a type of `size` bytes, at most.

    That is all of it in float32 beside the result, or, while it is turned back, thrice in float32 and the sums of four.
    """
    return stored.numbers.numel() * (13 if stored.group else 4 + size)


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy of a tensor as bytes: what is mapped from a file changes with the file."""
    return tensor.contiguous().view(torch.uint8).clone()


class _Product(torch.autograd.Function):
    """A layer's output. The backward pass widens the weight anew: no widened one is kept for it."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, bias: torch.Tensor | None, stored: Stored, dtype: torch.dtype
    ) -> torch.Tensor:
        ctx.stored, ctx.dtype, ctx.of_x = stored, dtype, x.dtype
        ctx.of_bias = None if bias is None else bias.dtype
        return functional.linear(x, stored.widened(dtype), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        x = bias = None
        if ctx.needs_input_grad[0]:  # under autocast, types of input, weight and output may differ
            x = (gradient @ ctx.stored.widened(ctx.dtype).to(gradient.dtype)).to(ctx.of_x)
        if ctx.needs_input_grad[1]:
            bias = gradient.reshape(-1, gradient.shape[-1]).sum(0).to(ctx.of_bias)
        return x, bias, None, None


def stand_in(stored: Stored, dtype: torch.dtype) -> torch.Tensor:
    """Return zeros in the place of a weight, for libraries to load until it is kept; they take no memory."""
    return torch.zeros((), dtype=dtype, device=stored.numbers.device).expand(stored.numbers.shape)


def is_kept(module: nn.Module, name: str) -> bool:
    """Return whether a model's weight of this name may stay as it is stored: one of a plain linear layer may."""
    layer, _, leaf = name.rpartition(".")
    return leaf == "weight" and type(module.get_submodule(layer)) is nn.Linear


def keep_as_stored(module: nn.Module, weights: Mapping[str, Stored]) -> None:
    """Let linear layers hold weights, given by name, as they are stored, and compute in the type of what they held."""
    for name, stored in weights.items():
        path = name.removesuffix(".weight")
        layer: Any = module.get_submodule(path)
        _put(module, path, StoredLinear(stored, layer.bias, layer.weight.dtype).train(layer.training))


def keep_shapes(module: nn.Module, kinds: Mapping[str, torch.dtype]) -> None:
    """Let linear layers of a model of shapes alone hold weights, given by name, in types of eight bits.

    Whole numbers count as turned, which takes the most to widen.
    """
    shapes = {name: torch.empty_like(module.get_parameter(name), dtype=kind) for name, kind in kinds.items()}
    keep_as_stored(module, {n: Stored(like, None, int(like.dtype == torch.int8)) for n, like in shapes.items()})


def widen(module: nn.Module) -> None:
    """Give all layers that hold their weights as stored plain weights instead, one after another."""
    for path, layer in list(module.named_modules()):
        if isinstance(layer, StoredLinear):
            with torch.device("meta"):  # its weights would be drawn
                plain = nn.Linear(layer.in_features, layer.out_features, bias=False)
            plain.weight = nn.Parameter(layer.weight, requires_grad=False)
            plain.bias = layer.bias
            _put(module, path, plain.train(layer.training))


def widen_for(device: torch.device, modules: Sequence[nn.Module]) -> None:
    """Give layers plain weights where a device has no numbers of eight bits."""
    if device.type in _LACKING:
        for module in modules:
            widen(module)


def _put(module: nn.Module, path: str, layer: nn.Module) -> None:
    parent, _, child = path.rpartition(".")
    setattr(module.get_submodule(parent), child, layer)


def plain_state(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield names, in order, and tensors of the `state_dict` of a model as if all of its layers were plain.

    Weights that are kept as stored are widened one at a time.
    """
    layers = {f"{path}.numbers": layer for path, layer in module.named_modules() if isinstance(layer, StoredLinear)}
    names = {f"{name.removesuffix('numbers')}weight" if name in layers else name: name for name in module.state_dict()}
    state = module.state_dict()
    for plain, name in sorted(names.items()):
        yield plain, layers[name].weight if name in layers else state[name]
