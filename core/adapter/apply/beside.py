"""An adapter beside the weights of a base, where nothing can be merged into them: rounded weights, or offloaded ones.

All layers that adapters change are linear in their weight and bias together, so that what a change adds to a layer's
output is the layer's own function of the change: F(x; W + dW) = F(x; W) + F(x; dW). See docs/design/memory.md.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import AdapterError
from ...text import inert
from ..adapter import Adapter
from ..change.delta import bias_change, read_factors
from ..change.weights import weight_shape
from ..module import AdapterModule
from .match import Components, MatchedModule, match_modules
from .match_report import report_of

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    Function = Callable[[Tensor, Tensor, Tensor | None], Tensor]
    """From input, weight and bias to a layer's output."""


class Beside:
    """One adapter prepared for one base, to be turned on and off many times; off is the base itself, bit for bit.

    Its own tensors stay in memory while it is on, and no second set of weights. Raises AdapterError that names a layer
    whose output cannot be changed from beside it.
    """

    def __init__(self, components: Components, adapter: Adapter) -> None:
        self._matching = match_modules(adapter, components)
        for pair in self._matching.matched:
            if function_of(pair.owner) is None:
                kind = type(pair.owner).__name__
                raise AdapterError(
                    f"{inert(adapter.path.name)}: {inert(pair.module.stem, 120)} changes a {kind}, beside which "
                    "nothing can be added: weights must neither be offloaded nor rounded."
                )
        self.report = report_of(self._matching)
        self._handles: list[Any] = []

    def on(self, strength: float = 1.0) -> None:
        """Let each layer add its share of the change, times a strength; 0 leaves the base as it is."""
        self.off()
        if not strength:
            return
        with self._matching.reading() as loads:
            for pair in self._matching.matched:
                load = loads[pair.module.source]
                tensors = {entry.name: load(entry.name) for entry in pair.module.factors.values()}
                self._handles.append(
                    pair.owner.register_forward_hook(_Share(pair, tensors, strength), with_kwargs=True)
                )

    def off(self) -> None:
        """Leave the base alone; does nothing when it is off already."""
        for handle in self._handles:
            handle.remove()
        self._handles = []


class AllBeside:
    """Several adapters, each beside the weights: what they add to a layer's output adds up."""

    def __init__(self, components: Components, adapters: Sequence[Adapter]) -> None:
        self._each = [Beside(components, adapter) for adapter in adapters]
        self.reports = tuple(beside.report for beside in self._each)

    def on(self, *strengths: float) -> None:
        """Let each layer add its share of every change, times that adapter's strength."""
        for beside, strength in zip(self._each, strengths, strict=True):
            beside.on(strength)

    def off(self) -> None:
        """Leave the base alone; does nothing when it is off already."""
        for beside in self._each:
            beside.off()


class _Share:
    """What one layer's output is changed by: a hook behind the layer."""

    def __init__(self, pair: MatchedModule, tensors: "dict[str, Tensor]", strength: float) -> None:
        self._pair, self._tensors, self._strength = pair, tensors, strength
        function = function_of(pair.owner)
        assert function is not None, "others are refused"
        self._function = function
        self._ready: dict[Any, tuple[Tensor, Tensor, Tensor | None]] = {}

    def __call__(
        self, module: "Module", args: "tuple[Any, ...]", kwargs: "dict[str, Any]", output: "Tensor"
    ) -> "Tensor":
        x = args[0] if args else next(iter(kwargs.values()))
        return output + self._share(x, output).to(output.dtype)

    def _share(self, x: "Tensor", output: "Tensor") -> "Tensor":
        if _is_product(self._pair):
            down, up, bias = self._thin(output)
            return _thin_layers(self._pair.owner, x, down, up, bias)
        import torch

        load = self._tensors.__getitem__
        with torch.no_grad():  # formed anew each time: all of them together would be a second set of weights
            change = self._pair.change(load, output.device)
            weight = change.weight.mul_(self._strength).to(output.dtype)
            bias = None if change.bias is None else change.bias.mul_(self._strength).to(output.dtype)
        return self._function(x, weight, bias)

    def _thin(self, output: "Tensor") -> "tuple[Tensor, Tensor, Tensor | None]":
        """Return the thin layers' weights and the change of the bias, ready for outputs of a type on a device."""
        key = output.device, output.dtype
        if key not in self._ready:
            self._ready[key] = self._made_thin(output)
        return self._ready[key]

    def _made_thin(self, output: "Tensor") -> "tuple[Tensor, Tensor, Tensor | None]":
        import torch

        module, owner = self._pair.module, self._pair.owner
        wide = torch.float64 if output.dtype == torch.float64 else torch.float32
        factors = read_factors(module, output, self._tensors.__getitem__, output.device, wide)
        assert module.algorithm.product is not None
        left, right = (factors[slot].flatten(1) for slot in module.algorithm.product)
        bias, whole = bias_change(module, self._pair.whole or owner, factors), self._pair.whole
        if whole is not None:
            left, bias = whole.share(owner, left), None if bias is None else whole.share(owner, bias)
        shape = weight_shape(owner)
        assert shape is not None, "misfit refuses layers without a weight"
        kernel = shape[1:]
        up = (left * (module.scale * self._strength)).reshape(*left.shape, *(1 for _ in kernel[1:]))
        bias = None if bias is None else (bias * self._strength).to(output.dtype)
        return right.reshape(len(right), *kernel).to(output.dtype), up.to(output.dtype), bias


def _is_product(pair: MatchedModule) -> bool:
    """Return whether a change is a product of two thin matrices and nothing more, beside one matrix or convolution."""
    module: AdapterModule = pair.module
    if module.algorithm.product is None or module.is_dora:
        return False
    if set(module.factors) - module.algorithm.biases != set(module.algorithm.product):
        return False
    return _is_linear(pair.owner) or (_is_convolution(pair.owner) and getattr(pair.owner, "groups", 1) == 1)


def _thin_layers(owner: "Module", x: "Tensor", down: "Tensor", up: "Tensor", bias: "Tensor | None") -> "Tensor":
    from torch.nn import functional

    if _is_linear(owner):
        return functional.linear(functional.linear(x, down), up, bias)
    inner = function_of(owner)
    assert inner is not None
    second: Any = getattr(functional, f"conv{down.ndim - 2}d")
    return second(inner(x, down, None), up, bias)


def _is_linear(owner: "Module") -> bool:
    from torch.nn import Linear
    from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

    # The latter is part of torch's own attention, which reads its weight and never asks the layer.
    return isinstance(owner, Linear) and not isinstance(owner, NonDynamicallyQuantizableLinear)


def _is_convolution(owner: "Module") -> bool:
    from torch.nn import Conv1d, Conv2d, Conv3d

    return isinstance(owner, (Conv1d, Conv2d, Conv3d)) and owner.padding_mode == "zeros"


def function_of(owner: "Module") -> "Function | None":
    """Return what a layer does with input, weight and bias; None for a class of which that is not known here."""
    from torch import nn
    from torch.nn import functional

    layer: Any = owner
    if _is_linear(owner):
        return functional.linear
    if _is_convolution(owner):
        convolve = getattr(functional, f"conv{len(layer.kernel_size)}d")
        return lambda x, w, b: convolve(x, w, b, layer.stride, layer.padding, layer.dilation, layer.groups)
    if isinstance(owner, nn.GroupNorm):
        return lambda x, w, b: functional.group_norm(x, layer.num_groups, w, b, layer.eps)
    if isinstance(owner, nn.LayerNorm):
        return lambda x, w, b: functional.layer_norm(x, layer.normalized_shape, w, b, layer.eps)
    if isinstance(owner, nn.Embedding):
        return lambda x, w, b: functional.embedding(x, w)
    return None
