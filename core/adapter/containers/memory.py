"""Tensors that are in memory already: out of a pickle, or made by a converter."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import AdapterError
from ...text import inert
from .source import Bytes, Entry, Loader

if TYPE_CHECKING:
    from torch import Tensor

DTYPES = {
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
"""Element types of PyTorch in the spelling of safetensors."""


@dataclass(frozen=True, eq=False)
class MemoryFile:
    """Tensors in memory under the names of a file; implements `Source`."""

    path: Path
    """The file that they came from."""
    entries: Mapping[str, Entry]
    """The tensors by name."""
    tensors: "Mapping[str, Tensor]"
    """The tensors themselves."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Text pairs; pickles have none."""
    data_start: int | None = None
    """Always None: there is no header."""

    @contextmanager
    def reading(self) -> Iterator[Loader]:
        """Yield a loader of the tensors in memory."""
        yield self.tensors.__getitem__

    @contextmanager
    def mapped(self) -> Iterator[Bytes]:
        """Yield a function that gives the bytes of a tensor in memory."""
        import torch

        def read(entry: Entry) -> memoryview:
            flat = self.tensors[entry.name].contiguous().flatten()
            return flat.view(torch.uint8).numpy().data

        yield read


def in_memory(path: Path, tensors: "Mapping[str, Tensor]") -> MemoryFile:
    """Return the tensors as a source; raises AdapterError for element types that no LoRA has."""
    return MemoryFile(path, {name: _entry(name, tensor) for name, tensor in tensors.items()}, tensors)


def _entry(name: str, tensor: "Tensor") -> Entry:
    dtype = DTYPES.get(str(tensor.dtype).removeprefix("torch."))
    if dtype is None or tensor.is_sparse or tensor.is_quantized:
        raise AdapterError(f"tensor {inert(name, 80)}: unsupported element type {tensor.dtype}")
    return Entry(name, dtype, tuple(tensor.shape), 0, tensor.numel() * tensor.element_size())
