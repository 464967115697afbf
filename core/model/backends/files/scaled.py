"""Weights of eight bits beside a scale that they are multiplied by, as ComfyUI's repackaged transformers hold them.

At first such a file had a marker `scaled_fp8` and `LAYER.scale_weight`; later ones have `LAYER.weight_scale`, and in
`LAYER.comfy_quant` JSON that says what the numbers are. Scales of inputs are for arithmetic in eight bits, which is not
done here.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from ....errors import Setting, UsageError
from ....foreign import foreign
from ....text import inert

_SCALES = ("scale_weight", "weight_scale")
"""What the scale of a layer's weight is called."""
_FORMAT = "comfy_quant"
"""What says in which format a layer's weight is."""
_MARKER = "scaled_fp8"
_BESIDE = (*_SCALES, _FORMAT, _MARKER, "scale_input", "input_scale")
_READ = ("float8_e4m3fn", "float8_e5m2")
"""Formats in which each number is its value over the scale of the layer."""
_OF_ARITHMETIC = ("format", "full_precision_matrix_mult")
"""What a format may say besides that leaves the values as they are; "convrot", for one, turns them."""
_LONGEST = 4096
"""Bytes of what says a format: ComfyUI writes about thirty."""


def is_beside(name: str) -> bool:
    """Return whether a tensor only says how others are to be read."""
    return name.rpartition(".")[2] in _BESIDE


class Scales:
    """The weights of an open file, each with its scale; raises UsageError for what says something not known here."""

    def __init__(self, path: Path, names: Iterable[str], file: Any) -> None:
        self._path, self._file, self._names = path, file, frozenset(names)
        for name in sorted(filter(is_beside, self._names)):
            self._require_known(name)

    def value(self, name: str) -> torch.Tensor:
        """Return a tensor of the file as the numbers that it stands for: float32 where it has a scale."""
        value, scale = self._file.get_tensor(name), self._scale_of(name)
        if scale is None:
            return value
        if scale.numel() == 1:
            return value.float() * scale.float().reshape(())
        if tuple(scale.shape) not in (value.shape[:1], (*value.shape[:1], 1)):
            raise UsageError(
                f"{self._path}: the scale of {inert(name, 120)} has shape {list(scale.shape)}; one number, or one for "
                "each row, is known."
            )
        return value.float() * scale.float().reshape(-1, *(1 for _ in value.shape[1:]))

    def _scale_of(self, name: str) -> torch.Tensor | None:
        stem, _, leaf = name.rpartition(".")
        found = [f"{stem}.{scale}" for scale in _SCALES if leaf == "weight" and f"{stem}.{scale}" in self._names]
        if len(found) > 1:
            raise UsageError(f"{self._path}: {inert(name, 120)} has two scales.")
        return self._file.get_tensor(found[0]) if found else None

    def _require_known(self, name: str) -> None:
        stem, _, leaf = name.rpartition(".")
        if leaf == _MARKER:
            return
        if f"{stem}.weight" not in self._names:
            raise UsageError(f"{self._path}: {inert(name, 120)} belongs to no weight in the file.")
        said = _said(self._file.get_tensor(name), f"{self._path}: {inert(name, 120)}") if leaf == _FORMAT else {}
        more = [key for key, value in said.items() if value and key not in _OF_ARITHMETIC]
        if said.get("format", _READ[0]) not in _READ or more:
            kind = inert(", ".join([str(said.get("format")), *more]), 80)
            raise UsageError(
                f"{self._path}: {inert(stem, 120)} is quantised as {kind}, which means something only together with "
                "code of its own; name the model as it was before.",
                Setting("base"),
            )


def _said(text: torch.Tensor, where: str) -> Mapping[str, Any]:
    with foreign(f"{where} cannot be read"):
        found = json.loads(bytes(text.flatten()[:_LONGEST].tolist()))
    if not isinstance(found, dict):
        raise UsageError(f"{where} is no table of settings.")
    return found
