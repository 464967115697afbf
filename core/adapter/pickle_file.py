"""Pickled LoRA files, opened only on request and only for their plain tensors."""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AdapterError
from ..text import inert
from .safetensors_file import MAX_TENSORS, regular_size
from .source import Bytes, Entry, Loader, one_element

if TYPE_CHECKING:
    from torch import Tensor

_NAMES = {
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
_SLACK = 1024 * 1024


@dataclass(frozen=True)
class PickleFile:
    """The tensors of a pickle, in memory; implements `Source`."""

    path: Path
    """The file."""
    entries: Mapping[str, Entry]
    """Its tensors by name."""
    tensors: "Mapping[str, Tensor]"
    """The tensors themselves."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Always empty: pickles have no header."""

    def scalar(self, entry: Entry) -> float:
        """Return the value of a one-element tensor; raises AdapterError for any other shape."""
        one_element(entry)
        return float(self.tensors[entry.name])

    @contextmanager
    def reading(self) -> Iterator[Loader]:
        """Yield a loader of the tensors in memory."""
        yield self.tensors.__getitem__

    @contextmanager
    def mapped(self) -> Iterator[Bytes]:
        """Yield a function that gives the bytes of a tensor in memory."""
        import torch

        def read(entry: Entry) -> memoryview:
            flat = self.tensors[entry.name].detach().contiguous().flatten()
            return flat.view(torch.uint8).numpy().data

        yield read


def open_pickle(path: Path) -> PickleFile:
    """Return the tensors of a pickled state dict, loaded with `weights_only=True`.

    Raises AdapterError for code in the pickle, for archives that unpack to more than twice their size,
    and for tensors that pretend to be larger than their storage.
    """
    size = regular_size(path)
    _check_archive(path, size)
    tensors = _tensors(_load(path))
    if len(tensors) > MAX_TENSORS:
        raise AdapterError(f"the file holds {len(tensors)} tensors; more than {MAX_TENSORS} is no LoRA")
    entries = {name: _entry(name, tensor) for name, tensor in tensors.items()}
    if sum(entry.size for entry in entries.values()) > 2 * size + _SLACK:
        raise AdapterError("the tensors are larger than the file: it is built to exhaust memory")
    return PickleFile(path, entries, tensors)


def _check_archive(path: Path, size: int) -> None:
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise AdapterError(f"a damaged archive: {inert(str(error))}") from error
    if unpacked > 2 * size + _SLACK:
        raise AdapterError(f"the archive unpacks to {unpacked} bytes from {size}: it is built to exhaust memory")


def _load(path: Path) -> object:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile pickle can fail in any way; it must only never succeed
        raise AdapterError(f"the pickle holds more than tensors, or is damaged: {inert(str(error), 120)}") from error


def _tensors(loaded: object) -> "dict[str, Tensor]":
    import torch

    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict):
        raise AdapterError("the pickle holds no table of tensors")
    return {name: value for name, value in loaded.items() if isinstance(name, str) and isinstance(value, torch.Tensor)}


def _entry(name: str, tensor: "Tensor") -> Entry:
    dtype = _NAMES.get(str(tensor.dtype).removeprefix("torch."))
    if dtype is None or tensor.is_sparse or tensor.is_quantized:
        raise AdapterError(f"tensor {inert(name, 80)}: unsupported element type {tensor.dtype}")
    return Entry(name, dtype, tuple(tensor.shape), 0, tensor.numel() * tensor.element_size())
