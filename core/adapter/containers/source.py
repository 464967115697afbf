"""Where tensors come from: what every container of tensors can tell and give."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

FLOATS = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "F8_E4M3": 1, "F8_E5M2": 1}
INTEGERS = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "I32": 4, "U32": 4, "I64": 8, "U64": 8}
"""Types of tensors by their names in safetensors -> bytes of a number."""

Loader = Callable[[str], "Tensor"]
"""Gives the tensor of a name, on the CPU, in the dtype of the file."""

Bytes = Callable[["Entry"], memoryview]
"""Gives the bytes of a tensor without copying or importing torch."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a container, described without reading it."""

    name: str
    """Name in the file, exactly as written there: show it only through `inert`."""
    dtype: str
    """Element type in the spelling of safetensors, such as `F16`."""
    shape: tuple[int, ...]
    """Size of every dimension."""
    offset: int
    """First byte in the file; 0 for tensors that live in memory."""
    size: int
    """Number of bytes."""

    @property
    def is_float(self) -> bool:
        """Return whether the elements are of a floating type that weights may have."""
        return self.dtype in FLOATS

    @property
    def numel(self) -> int:
        """Return the number of elements."""
        count = 1
        for side in self.shape:
            count *= side
        return count

    @property
    def is_a_number(self) -> bool:
        """Return whether it is a single number that is no whole one: a counter is none, a factor may be one."""
        return self.is_float and self.numel == 1


class Source(Protocol):
    """A container of tensors that has been checked, with its tensors still unread; equal only to itself."""

    @property
    def path(self) -> Path:
        """Return the file."""
        ...

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Return the tensors by name."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """Return the text pairs of the header, unchecked and untrusted."""
        ...

    @property
    def data_start(self) -> int | None:
        """Return the offset of the first tensor byte; None where there is no header."""
        ...

    @contextmanager
    def reading(self) -> Iterator[Loader]:
        """Open the container and yield its loader."""
        ...

    @contextmanager
    def mapped(self) -> Iterator[Bytes]:
        """Open the container and yield a function from an entry to its bytes."""
        ...


@contextmanager
def all_reading(sources: Iterable[Source]) -> Iterator[Mapping[Source, Loader]]:
    """Open each container once and yield their loaders."""
    with ExitStack() as stack:
        yield {source: stack.enter_context(source.reading()) for source in dict.fromkeys(sources)}


@contextmanager
def all_mapped(sources: Iterable[Source]) -> Iterator[Mapping[Source, Bytes]]:
    """Open each container once and yield what gives their bytes."""
    with ExitStack() as stack:
        yield {source: stack.enter_context(source.mapped()) for source in dict.fromkeys(sources)}
