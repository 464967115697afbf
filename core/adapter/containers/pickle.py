"""Pickled LoRA files, opened only on request and only for their plain tensors."""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from ...disk.tensor_files import START, instead_of_archive
from ...errors import AdapterError
from ...foreign import foreign
from ...text import inert
from .header import MAX_TENSORS
from .memory import MemoryFile, in_memory
from .pickle_opcodes import SLACK, plain
from .safetensors import regular_size

if TYPE_CHECKING:
    from torch import Tensor


def open_pickle(path: Path) -> MemoryFile:
    """Return the tensors of a pickled state dict, loaded with `weights_only=True`.

    Raises AdapterError for calls of anything but tensors, for pickles older than PyTorch 1.6, for archives that
    unpack to more than twice their size, and for tensors that pretend to be larger than their storage.
    """
    size = regular_size(path)
    pickles = _plain_pickles(path, size)
    with foreign("the pickle cannot be read as tensors", kind=AdapterError):
        tensors = _tensors(_load(path, pickles))
    if len(tensors) > MAX_TENSORS:
        raise AdapterError(f"the file holds {len(tensors)} tensors; more than {MAX_TENSORS} is no LoRA")
    source = in_memory(path, tensors)
    if sum(entry.size for entry in source.entries.values()) > 2 * size + SLACK:
        raise AdapterError("the tensors are larger than the file: it is built to exhaust memory")
    return source


def _plain_pickles(path: Path, size: int) -> dict[str, bytes]:
    """Return the pickles in an archive that PyTorch's safe reader would not read, by name, as it reads them.

    Raises AdapterError unless it is an archive of about its own size whose pickles only make tensors.
    """
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            seen = instead_of_archive(file.read(START))
        raise AdapterError(seen or "neither a safetensors file nor a pickle that PyTorch 1.6 or later saved")
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
            if unpacked > 2 * size + SLACK:
                raise AdapterError(
                    f"the archive unpacks to {unpacked} bytes from {size}: it is built to exhaust memory"
                )
            for item in archive.infolist():
                if item.filename.endswith("data.pkl"):
                    content = archive.read(item)
                    said = plain(content)
                    # PyTorch's own, of protocol 2, are read where they are.
                    if not content.startswith(b"\x80\x02") or b"UntypedStorage" in content:
                        found[item.filename] = said
    except AdapterError:
        raise
    except Exception as error:  # zipfile and pickletools raise whatever a stranger's bytes lead them to
        raise AdapterError(f"a damaged archive: {inert(str(error))}") from error
    return found


def _load(path: Path, pickles: Mapping[str, bytes]) -> object:
    import torch

    try:
        if not pickles:
            return torch.load(path, map_location="cpu", weights_only=True)
        with TemporaryFile() as file:  # not in memory, where the tensors will be
            _copy(path, file, pickles)
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile pickle can fail in any way; it must only never succeed
        raise AdapterError(f"the pickle holds more than tensors, or is damaged: {inert(str(error), 120)}") from error


def _copy(path: Path, file: IO[bytes], pickles: Mapping[str, bytes]) -> None:
    """Write the archive at `path` to `file` with other pickles in it."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(file, "w") as copy:
        for item in archive.infolist():
            if item.filename in pickles:
                copy.writestr(item.filename, pickles[item.filename])
            else:
                with archive.open(item) as source, copy.open(item.filename, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target)
    file.seek(0)


def _tensors(loaded: object) -> "dict[str, Tensor]":
    """Return the tensors of a state dict, single numbers among them; raises AdapterError for whatever else it holds."""
    import torch

    if not isinstance(loaded, dict):
        raise AdapterError("the pickle holds no table of tensors")
    table: dict[object, object] = loaded
    inner = table.get("state_dict")
    if isinstance(inner, dict):
        _require_no_weights({name: value for name, value in table.items() if name != "state_dict"})
        table = inner
    found: dict[str, torch.Tensor] = {}
    for name, value in table.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):  # diffusers once kept its alphas so
            value = torch.tensor(float(value), dtype=torch.float64)
        if isinstance(value, torch.Tensor):  # a parameter, or a view that only says that it is negated
            value = value.detach().resolve_neg().resolve_conj()
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise AdapterError(
                f"the pickle holds a {inert(type(value).__name__, 40)} called {inert(str(name), 80)!r} among its "
                "tensors, which no LoRA format has"
            )
        found[name] = value
    return found


def _require_no_weights(beside: Mapping[object, object]) -> None:
    """Raise AdapterError where a training's notes, such as its step, are accompanied by what may change weights."""
    import torch

    for name, value in beside.items():
        held = (
            value.numel() > 1 if isinstance(value, torch.Tensor) else isinstance(value, (dict, list, tuple)) and value
        )
        if held:
            raise AdapterError(
                f"beside its state_dict the pickle holds {inert(str(name), 80)!r}, which is not understood: save the "
                "LoRA's own tensors alone"
            )
