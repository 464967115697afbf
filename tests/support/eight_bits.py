"""Weights rounded to eight bits as ComfyUI's files have them, and the values that they stand for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from owf.core.model.backends.kept_as_stored import Stored, keep_as_stored
from torch import nn

FOUR = torch.tensor([[1.0, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]])
"""The regular Hadamard matrix by which ConvRot turns groups of inputs, in its powers and over its norm."""
GROUP = 16
"""Inputs of a group that is turned."""
_SIXTEEN = torch.kron(FOUR, FOUR) / 4


@dataclass(frozen=True)
class Format:
    """How a matrix is rounded."""

    dtype: torch.dtype
    scaled: str = ""
    """"" for numbers that are the values, "layer" for one scale, "rows" for one each row."""
    turned: bool = False
    said: Mapping[str, Any] = field(default_factory=dict)
    """What the file says of the layer."""

    def of(self, weight: torch.Tensor) -> "Rounded":
        """Return a matrix rounded."""
        weight = weight.detach()
        if not self.scaled:
            numbers = weight.to(self.dtype)
            return Rounded(numbers, None, numbers.float(), 0)
        turned = _in_groups(weight, _SIXTEEN.T) if self.turned else weight
        largest = turned.abs().amax(1, keepdim=True) if self.scaled == "rows" else turned.abs().max()
        is_whole = self.dtype == torch.int8
        scale = (largest / (127 if is_whole else torch.finfo(self.dtype).max)).clamp(min=1e-6)
        numbers = (turned / scale).round().to(self.dtype) if is_whole else (turned / scale).to(self.dtype)
        # Sums of whole numbers are exact, so that turning rounds nothing: the scale does, once.
        back = _in_groups(numbers.double(), _SIXTEEN.double()) if self.turned else numbers.double()
        return Rounded(numbers, scale, back.float() * scale, GROUP if self.turned else 0)


@dataclass(frozen=True)
class Rounded:
    """A matrix in eight bits."""

    numbers: torch.Tensor
    scale: torch.Tensor | None
    values: torch.Tensor
    """What it stands for, float32."""
    group: int

    @property
    def stored(self) -> Stored:
        """The same as a file is read."""
        return Stored(self.numbers, None if self.scale is None else self.scale.reshape(-1, 1), self.group)


def _in_groups(weight: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    return (weight.reshape(len(weight), -1, GROUP) @ turn).reshape(weight.shape)


_INT8 = {"format": "int8_tensorwise"}
FORMATS = {
    "e4m3": Format(torch.float8_e4m3fn),
    "e5m2": Format(torch.float8_e5m2),
    "e4m3-layer": Format(torch.float8_e4m3fn, "layer", said={"format": "float8_e4m3fn"}),
    "e4m3-rows": Format(torch.float8_e4m3fn, "rows", said={"format": "float8_e4m3fn"}),
    "e5m2-layer": Format(torch.float8_e5m2, "layer", said={"format": "float8_e5m2"}),
    "int8-layer": Format(torch.int8, "layer", said=_INT8),
    "int8-rows": Format(torch.int8, "rows", said=_INT8),
    "int8-turned": Format(torch.int8, "rows", True, _INT8 | {"convrot": True, "convrot_groupsize": GROUP}),
}


def in_eight_bits(
    tensors: Mapping[str, torch.Tensor], kind: Format, among: Callable[[str], bool] = lambda name: True
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return a file's tensors with its matrices in eight bits, and with the values they stand for, in float32."""
    stored, values = dict(tensors), dict(tensors)
    for name, value in tensors.items():
        if not name.endswith(".weight") or value.ndim != 2 or value.shape[1] % GROUP or not among(name):
            continue
        rounded, stem = kind.of(value), name.removesuffix(".weight")
        stored[name], values[name] = rounded.numbers, rounded.values
        if rounded.scale is not None:
            stored |= {f"{stem}.weight_scale": rounded.scale, f"{stem}.comfy_quant": text_tensor(kind.said)}
    return stored, values


def keep_parts(parts: SimpleNamespace, kind: Format) -> SimpleNamespace:
    """Return the parts of a model, the linear layers of its networks in eight bits as they are stored."""
    for name, part in vars(parts).items():
        if isinstance(part, nn.Module) and name != "vae":
            linear = {path: layer for path, layer in part.named_modules() if type(layer) is nn.Linear}
            whole = {path: layer for path, layer in linear.items() if layer.in_features % GROUP == 0}
            keep_as_stored(part, {f"{path}.weight": kind.of(layer.weight).stored for path, layer in whole.items()})
    return parts


def scaled_fp8(
    tensors: Mapping[str, torch.Tensor], scale_name: str, per_row: bool, text: Any
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return a file's tensors as ComfyUI repackages them, its matrices in eight bits, and the values they stand for.

    `text` is what the file says of each layer; None for the first such files, which had a marker for all instead.
    """
    stored, values = {"scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn)} if text is None else {}, {}
    for name, value in tensors.items():
        stored[name] = values[name] = value
        if not name.endswith(".weight") or value.ndim != 2:
            continue
        stem = name.removesuffix(".weight")
        largest = value.abs().amax(1) if per_row else value.abs().max()
        scale = (largest / 448).clamp(min=1e-6)  # float8_e4m3fn ends at 448
        column = scale[:, None] if per_row else scale
        stored[name] = (value / column).to(torch.float8_e4m3fn)
        stored[f"{stem}.{scale_name}"] = scale
        stored[f"{stem}.input_scale"] = torch.ones(())
        values[name] = stored[name].float() * column
        if text is not None:
            stored[f"{stem}.comfy_quant"] = text_tensor(text)
    return stored, values


def text_tensor(said: Any) -> torch.Tensor:
    """Return JSON as the bytes of a tensor."""
    return torch.tensor(list(json.dumps(said).encode()), dtype=torch.uint8)
