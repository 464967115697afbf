"""The memory of a base and what it computes, from its shapes: bytes of weights, of activations, and of a LoRA."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .blueprint import Blueprint
from .memory import ROUNDED_BYTES, Keeping

if TYPE_CHECKING:
    from ..families import Part

GIB = 2**30
"""Bytes of what is called GB where memory is counted, as cards are sold."""
BESIDES = int(0.7 * GIB)
"""Bytes besides tensors of a base, on a GPU: the driver's context and its libraries' code (0.5 GB where it was looked
at), the network of a metric (0.1 GB)."""
SLACK = 1.15
"""By how much more a card needs than tensors take: workspaces of its libraries, and free memory that is cut up. With it
what was run on a card fitted where it is said to, and did not where not (docs/memory.md)."""


@dataclass(frozen=True)
class LoraBytes:
    """What a LoRA adds to the weights of a base."""

    merged: int
    """Elements of the weights and biases that it changes, of which a second set is kept where it is merged."""
    factors: int
    """Elements of its own tensors, which are kept where it stands beside."""


NO_LORA = LoraBytes(0, 0)
"""Of a base alone."""


@dataclass(frozen=True)
class Footprint:
    """Bytes on the device."""

    weights: int
    """Of the base's weights that are there at once, at most."""
    lora: int
    """Of what a LoRA adds."""
    working: int
    """Of activations at the fullest moment, in which those weights are there."""

    @property
    def peak(self) -> int:
        """Return the most bytes of tensors at once."""
        return self.weights + self.lora + self.working

    @property
    def needed(self) -> int:
        """Return the bytes that a device is to have."""
        return needed_for(self.peak)


def needed_for(peak: float) -> int:
    """Return the bytes that a device is to have for tensors of so many."""
    return int(peak * SLACK) + BESIDES


def footprint(base: Blueprint, dtype: torch.dtype, rows: int, keeping: Keeping, lora: LoraBytes = NO_LORA) -> Footprint:
    """Return the bytes of an audit with `rows` rows of the denoiser at once: the most of all its moments."""
    size = dtype.itemsize
    added = (lora.merged if keeping.is_plain and not base.keeps_as_stored else lora.factors) * size
    weights = part_weights(base, dtype, keeping)
    working = _working(base, dtype, rows, keeping)
    moments = [(_present(base, name, weights, keeping), working.get(name, 0)) for name in weights]
    there, alive = max(moments, key=sum)
    return Footprint(there, added, alive)


def part_weights(base: Blueprint, dtype: torch.dtype, keeping: Keeping) -> dict[str, int]:
    """Return the bytes of each part's weights."""
    return {part.name: _weights(base, part, dtype, keeping) for part in base.pipeline.weighted}


def _weights(base: Blueprint, part: "Part", dtype: torch.dtype, keeping: Keeping) -> int:
    """Return the bytes of a part's weights."""
    module = base.parts.models[part.name]
    size, count = _type(base, part, dtype).itemsize, _elements(module)
    if keeping.quantize == "none" or part.name not in base.components:
        return sum(
            parameter.numel() * (size if parameter.is_floating_point() else 1) for parameter in module.parameters()
        )
    rounded = sum(layer.weight.numel() for layer in module.modules() if isinstance(layer, nn.Linear))
    return size * (count - rounded) + int(rounded * ROUNDED_BYTES[keeping.quantize])


def _type(base: Blueprint, part: "Part", dtype: torch.dtype) -> torch.dtype:
    from .backends.parts import dtype_of

    config: Any = base.parts.models[part.name].config
    return dtype_of(part, config if isinstance(config, Mapping) else {}, dtype)


def _elements(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _working(base: Blueprint, dtype: torch.dtype, rows: int, keeping: Keeping) -> dict[str, int]:
    """Return the bytes of activations while each part works; those of CLIP are below a hundredth of these."""
    from .backends.activations import vae_values

    vae = next(part for part in base.pipeline.weighted if part.name == "vae")
    side = min(base.resolution, keeping.tile or base.resolution)
    found = {
        base.pipeline.parts[0].name: rows * base.network.row_values() * dtype.itemsize,
        vae.name: vae_values(base.parts.vae.config, side) * _type(base, vae, dtype).itemsize,
        **{name: values * dtype.itemsize for name, values in base.network.text_values().items()},
    }
    if keeping.quantize == "none":
        for name, root in base.components.items():
            found[name] = found.get(name, 0) + _widening(root, dtype)
    return found


def _widening(module: nn.Module, dtype: torch.dtype) -> int:
    """Return the bytes that are alive at most while a weight that is kept as stored is widened."""
    from .backends.kept_as_stored import StoredLinear, widening_bytes

    layers = (layer for layer in module.modules() if isinstance(layer, StoredLinear))
    return max((widening_bytes(layer.stored, dtype.itemsize) for layer in layers), default=0)


def _present(base: Blueprint, name: str, weights: Mapping[str, int], keeping: Keeping) -> int:
    """Return the bytes of weights that are on the device while a part works."""
    if keeping.offload == "none":
        return sum(weights.values())
    if keeping.offload == "model":
        return weights[name]
    module = base.parts.models[name]
    largest = max(sum(p.numel() for p in layer.parameters(recurse=False)) for layer in module.modules())
    return largest * weights[name] // _elements(module)  # one at a time
