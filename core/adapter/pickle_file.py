"""Pickled LoRA files, opened only on request and only for their plain tensors."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AdapterError
from ..text import inert
from .memory_file import MemoryFile, in_memory
from .safetensors_file import MAX_TENSORS, regular_size

if TYPE_CHECKING:
    from torch import Tensor

_SLACK = 1024 * 1024


def open_pickle(path: Path) -> MemoryFile:
    """Return the tensors of a pickled state dict, loaded with `weights_only=True`.

    Raises AdapterError for code in the pickle, for archives that unpack to more than twice their size,
    and for tensors that pretend to be larger than their storage.
    """
    size = regular_size(path)
    _check_archive(path, size)
    tensors = _tensors(_load(path))
    if len(tensors) > MAX_TENSORS:
        raise AdapterError(f"the file holds {len(tensors)} tensors; more than {MAX_TENSORS} is no LoRA")
    source = in_memory(path, tensors)
    if sum(entry.size for entry in source.entries.values()) > 2 * size + _SLACK:
        raise AdapterError("the tensors are larger than the file: it is built to exhaust memory")
    return source


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
