"""The header of a safetensors file, read with caps before any tensor is touched."""

import mmap
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from ...disk.tensor_files import AGAIN, LENGTH, START, instead_of_header
from ...errors import AdapterError
from ...text import inert
from .header import parse_header
from .source import FLOATS, INTEGERS, Bytes, Entry, Loader

if TYPE_CHECKING:
    from torch import Tensor

MAX_HEADER = 16 * 1024 * 1024
MAX_DIMS = 8
MAX_NAME = 1000
"""Bytes of a header, dimensions of a tensor and characters of its name that are read: several times what trainers
write, and little enough to be parsed at once."""
_SIZES = FLOATS | INTEGERS


@dataclass(frozen=True, eq=False)
class SafetensorsFile:
    """A safetensors file whose header is sound; implements `Source`."""

    path: Path
    """The file."""
    entries: Mapping[str, Entry]
    """Its tensors by name."""
    metadata: Mapping[str, str]
    """The text pairs of the header, untrusted."""
    data_start: int
    """Offset of the first tensor byte."""

    @contextmanager
    def reading(self) -> Iterator[Loader]:
        """Yield a loader that maps the file once; raises AdapterError if safetensors refuses the file."""
        from safetensors import SafetensorError, safe_open
        from torch.utils._python_dispatch import _disable_current_modes  # torch has no public way to leave a mode

        try:
            with _in_utf8(self.path) as path, safe_open(path, framework="pt", device="cpu") as file:

                def load(name: str) -> "Tensor":
                    with _disable_current_modes():  # the file's tensors are real even where the base is fake
                        return file.get_tensor(name)

                yield load
        except SafetensorError as error:
            raise AdapterError(f"safetensors refuses the file: {inert(str(error))}") from error

    @contextmanager
    def mapped(self) -> Iterator[Bytes]:
        """Yield a function that gives the bytes of an entry out of a read-only map of the file."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            view = memoryview(content)
            try:
                yield lambda entry: view[entry.offset : entry.offset + entry.size]
            finally:
                view.release()


@contextmanager
def _in_utf8(path: Path) -> Iterator[str]:
    """Yield a path of the file that is UTF-8, as safetensors asks for: its own, or that of an open descriptor."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            yield f"/dev/fd/{file.fileno()}"
    else:
        yield str(path)


def open_safetensors(path: Path) -> SafetensorsFile:
    """Return the checked header of a safetensors file.

    Raises AdapterError for anything but a regular file with a sound header: too long, not JSON, duplicate
    names, unknown element types, shapes that disagree with the bytes, overlaps, holes, bytes left over.
    """
    size = regular_size(path)
    with path.open("rb") as file:
        length = _header_length(file.read(START), size)
        file.seek(LENGTH)
        header = parse_header(file.read(length))
    start = LENGTH + length
    entries = {name: _entry(name, fields, start) for name, fields in header.tensors.items()}
    _check_layout(entries.values(), start, size)
    return SafetensorsFile(path, entries, header.metadata, start)


def regular_size(path: Path) -> int:
    """Return the size of a regular file in bytes; raises AdapterError for pipes, devices, folders."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise AdapterError(f"cannot open the file: {reason}") from error
    if not stat.S_ISREG(status.st_mode):
        raise AdapterError("not a regular file (a pipe, device or folder); give a .safetensors file")
    return status.st_size


def _header_length(start: bytes, size: int) -> int:
    other = instead_of_header(start, size)
    if other:
        raise AdapterError(other)
    if len(start) < LENGTH:
        raise AdapterError(f"the file has only {len(start)} bytes, so it is cut off; {AGAIN}")
    length = int.from_bytes(start[:LENGTH], "little")
    if length > min(MAX_HEADER, size - LENGTH):
        raise AdapterError(f"the header claims {length} bytes, more than the file or the limit allows; {AGAIN}")
    return length


def _entry(name: str, fields: object, start: int) -> Entry:
    try:
        if len(name) > MAX_NAME:
            raise AdapterError(f"its name has {len(name)} characters, more than the {MAX_NAME} that are read")
        return Entry(name, *_described(fields, start))
    except AdapterError as error:
        raise AdapterError(f"tensor {inert(name, 80)}: {error}") from None


def _described(fields: object, start: int) -> tuple[str, tuple[int, ...], int, int]:
    """Return element type, shape, first byte and size; raises AdapterError for any other description."""
    if not isinstance(fields, dict):
        raise AdapterError(f"its description is not a table; {AGAIN}")
    dtype, shape, offsets = fields.get("dtype"), fields.get("shape"), fields.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in _SIZES:
        known = ", ".join(FLOATS)
        raise AdapterError(f"element type {inert(str(dtype), 20)} is not read; convert it to one of {known}")
    if not _is_counts(shape) or len(shape) > MAX_DIMS:
        raise AdapterError(f"its shape is not a list of at most {MAX_DIMS} counts; {AGAIN}")
    if not _is_counts(offsets) or len(offsets) != 2:
        raise AdapterError(f"its offsets are not two counts; {AGAIN}")
    return dtype, tuple(shape), start + offsets[0], offsets[1] - offsets[0]


def _is_counts(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**48 for item in value)


def _check_layout(entries: Iterable[Entry], start: int, size: int) -> None:
    """Raise AdapterError unless the tensors fill the file exactly, each with the bytes its shape needs."""
    expected = start
    for entry in sorted(entries, key=lambda item: (item.offset, item.size)):
        if entry.size != entry.numel * _SIZES[entry.dtype]:
            raise AdapterError(
                f"tensor {inert(entry.name, 80)}: its bytes do not match its shape {list(entry.shape)}; {AGAIN}"
            )
        if entry.offset != expected:
            raise AdapterError(f"tensor {inert(entry.name, 80)}: overlap or hole in the data; {AGAIN}")
        expected += entry.size
    if expected != size:
        found = "cut off" if expected > size else "followed by unknown bytes"
        raise AdapterError(f"the tensor data is {found} ({size} bytes, {expected} expected); {AGAIN}")
