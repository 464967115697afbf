"""Memory counted by allocations, whether tensors are real or fake."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of all storages alive that operations make while it is active; of views, what they look at."""

    def __init__(self) -> None:
        super().__init__()
        self._alive: dict[int, tuple[weakref.ref[torch.UntypedStorage], int]] = {}
        self._held = 0
        self.peak = 0
        """The most bytes that were alive at once."""

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Return what an operation does, and count what it made."""
        result = func(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple | list) else (result,):
            if isinstance(made, torch.Tensor):
                self._add(made.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        known = self._alive.get(key)
        reference = weakref.ref(storage, lambda _: self._drop(key)) if known is None else known[0]
        self._held += size - (0 if known is None else known[1])  # some grow
        self._alive[key] = reference, size
        self.peak = max(self.peak, self._held)

    def _drop(self, key: int) -> None:
        self._held -= self._alive.pop(key)[1]
