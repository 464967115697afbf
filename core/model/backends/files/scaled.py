"""Weights of eight bits beside a scale that they are multiplied by, as ComfyUI's repackaged models hold them.

At first such a file had a marker `scaled_fp8` and `LAYER.scale_weight`; later ones have `LAYER.weight_scale`, and JSON
says what the numbers are: in `LAYER.comfy_quant`, or of all layers in the header's `_quantization_metadata` (ComfyUI's
QUANTIZATION.md). Scales of inputs are for arithmetic in eight bits, which is not done here.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from ....errors import Setting, UsageError
from ....foreign import foreign
from ....text import inert
from ..kept_as_stored import Stored
from .weight_files import SCALES, opened

_FORMAT = "comfy_quant"
"""What says in which format a layer's weight is."""
_OF_ALL = "_quantization_metadata"
"""What says so in a header, for all layers."""
_PREFIXES = ("", "model.diffusion_model.", "diffusion_model.", "net.")
"""What names of layers in a header may lack: ComfyUI reads them after it has taken that off."""
_MARKER = "scaled_fp8"
_BESIDE = (*SCALES, _FORMAT, _MARKER, "scale_input", "input_scale")
_READ = {"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "int8_tensorwise": "I8"}
"""Formats in which each number is its value over the scale of the layer, or of its row -> their type on disk."""
_OF_ARITHMETIC = ("format", "full_precision_matrix_mult")
"""What a format may say besides that leaves the values as they are."""
_TURNED, _GROUP = "convrot", "convrot_groupsize"
_OF_INT8 = (_TURNED, _GROUP)
"""What one of whole numbers may say: that each group of so many inputs was turned before it was rounded."""
_USUAL_GROUP = 256
"""Inputs of a group where none are said, as in ComfyUI."""
_LARGEST_GROUP = 1024
"""Most inputs of a group: the matrix that turns one has its square of numbers."""
_LONGEST = 4096
"""Bytes of what says a format: ComfyUI writes about thirty."""


def is_beside(name: str) -> bool:
    """Return whether a tensor only says how others are to be read."""
    return name.rpartition(".")[2] in _BESIDE


def require_known_formats(path: Path) -> None:
    """Raise UsageError, with its name, for a format of weights that is not read here."""
    with opened(path) as file:
        Scales(path, file)


def stored(path: Path, file: Any, beginning: str) -> Iterator[tuple[str, Stored]]:
    """Yield the weights in an open file whose names have a beginning, with what their numbers stand for."""
    scales = Scales(path, file)
    for name in file.keys():  # noqa: SIM118 - not a dict
        if name.startswith(beginning) and not is_beside(name):
            yield name, scales.stored(name)


def values(path: Path, file: Any, beginning: str, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the same as values in a type."""
    for name, weight in stored(path, file, beginning):
        yield name, weight.widened(dtype)


class Scales:
    """The weights of an open file, each with its scale; raises UsageError for what says something not known here."""

    def __init__(self, path: Path, file: Any) -> None:
        self._path, self._file, self._names = path, file, frozenset(file.keys())
        self._said = self._of_layers() | self._of_header()
        for stem, said in self._said.items():
            self._require_known(stem, said)
        for name in sorted(filter(is_beside, self._names)):
            stem, _, leaf = name.rpartition(".")
            if leaf != _MARKER and f"{stem}.weight" not in self._names:
                raise UsageError(f"{path}: {inert(name, 120)} belongs to no weight in the file.")

    def stored(self, name: str) -> Stored:
        """Return a tensor of the file with what its numbers stand for."""
        value, scale = self._file.get_tensor(name), self._scale_of(name)
        if scale is None:
            return Stored(value)
        said = self._said.get(name.rpartition(".")[0], {})
        if value.dtype == torch.int8 and not said:
            self._refuse(name.rpartition(".")[0], "whole numbers of which the file does not say how they are read")
        if scale.numel() != 1 and tuple(scale.shape) not in (value.shape[:1], (*value.shape[:1], 1)):
            raise UsageError(
                f"{self._path}: the scale of {inert(name, 120)} has shape {list(scale.shape)}; one number, or one for "
                "each row, is known."
            )
        each = scale.float().reshape(-1, *(1 for _ in value.shape[1:])) if value.ndim else scale.float().reshape(())
        return Stored(value, each, said.get(_GROUP, _USUAL_GROUP) if said.get(_TURNED) else 0)

    def _scale_of(self, name: str) -> torch.Tensor | None:
        stem, _, leaf = name.rpartition(".")
        found = [f"{stem}.{scale}" for scale in SCALES if leaf == "weight" and f"{stem}.{scale}" in self._names]
        if len(found) > 1:
            raise UsageError(f"{self._path}: {inert(name, 120)} has two scales.")
        return self._file.get_tensor(found[0]) if found else None

    def _of_layers(self) -> dict[str, Mapping[str, Any]]:
        """Return what the file says of layers, each in a tensor beside the weight."""
        names = [name for name in self._names if name.rpartition(".")[2] == _FORMAT]
        texts = {name: bytes(self._file.get_tensor(name).flatten()[:_LONGEST].tolist()) for name in names}
        return {n.rpartition(".")[0]: _object(t, f"{self._path}: {inert(n, 120)}") for n, t in texts.items()}

    def _of_header(self) -> dict[str, Mapping[str, Any]]:
        """Return what the header says of layers, by their names in the file."""
        where = f"{self._path}: {_OF_ALL} in its header"
        layers = _object((self._file.metadata() or {}).get(_OF_ALL, "{}"), where).get("layers", {})
        if not isinstance(layers, dict) or not all(isinstance(said, dict) for said in layers.values()):
            raise UsageError(f"{where} is no table of settings.")
        found: dict[str, Mapping[str, Any]] = {}
        for layer, said in layers.items():
            stem = next((f"{p}{layer}" for p in _PREFIXES if f"{p}{layer}.weight" in self._names), None)
            if stem is None:
                raise UsageError(f"{where} names {inert(layer, 120)}, and the file has no such weight.")
            found[stem] = said
        return found

    def _require_known(self, stem: str, said: Mapping[str, Any]) -> None:
        kind, settings = said.get("format", next(iter(_READ))), _flat(said)
        known = (*_OF_ARITHMETIC, *(_OF_INT8 if kind == "int8_tensorwise" else ()))
        more = [str(key) for key, value in settings.items() if value and key not in known]
        if not isinstance(kind, str) or kind not in _READ or more:
            self._refuse(stem, ", ".join([str(kind), *more]))
        weight = f"{stem}.weight"
        if weight not in self._names:
            raise UsageError(f"{self._path}: {inert(stem, 120)}.{_FORMAT} belongs to no weight in the file.")
        held = self._file.get_slice(weight)
        if held.get_dtype() != _READ[kind] or not any(f"{stem}.{scale}" in self._names for scale in SCALES):
            self._refuse(stem, f"{kind}, but its numbers are of type {held.get_dtype()} or have no scale")
        self._said[stem] = settings
        if settings.get(_TURNED) and not _can_be_turned(held.get_shape(), settings.get(_GROUP, _USUAL_GROUP)):
            self._refuse(stem, f"{kind}, turned in groups that do not fit it")

    def _refuse(self, stem: str, kind: str) -> NoReturn:
        raise UsageError(
            f"{self._path}: {inert(stem, 120)} is quantised as {inert(kind, 120)}, which means something only together "
            "with code of its own; name the model as it was before.",
            Setting("base"),
        )


def _flat(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with those that stand a level lower, which ComfyUI reads too."""
    inner = said.get("params")
    if not isinstance(inner, dict):
        return dict(said)
    return {**inner, **{key: value for key, value in said.items() if key != "params"}}


def _can_be_turned(shape: Sequence[int], group: object) -> bool:
    if not isinstance(group, int) or len(shape) != 2 or not 4 <= group <= _LARGEST_GROUP:
        return False
    return 4 ** round(math.log(group, 4)) == group and shape[1] % group == 0


def _object(text: str | bytes, where: str) -> Mapping[str, Any]:
    with foreign(f"{where} cannot be read"):
        found = json.loads(text)
    if not isinstance(found, dict):
        raise UsageError(f"{where} is no table of settings.")
    return found
