"""Sums in the same order each time: on GPUs a backward pass adds in whichever order its threads come, unless asked."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Return a context in which torch takes its deterministic algorithms on CUDA, where it has one.

    Elsewhere they are in place as they are. What the process had set comes back: it may be a host's.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    deterministic: Any = torch.utils.deterministic  # its attributes are made while it runs
    filled = deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    deterministic.fill_uninitialized_memory = False  # a check for bugs, which costs a pass over everything
    try:
        with warnings.catch_warnings():
            # Of operations that have none, and of cuBLAS, whose products differ only where streams run side by side.
            warnings.filterwarnings("ignore", ".*[Dd]eterministic")
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        deterministic.fill_uninitialized_memory = filled
