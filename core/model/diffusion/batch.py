"""How many rows go through the UNet at once."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from ...errors import Setting, UsageError
from ...foreign import is_out_of_memory
from .denoiser import Denoiser

T = TypeVar("T")


class Batching:
    """A batch size that halves itself when the device runs out of memory.

    With several workers, slices run on threads side by side. Slices and their results are the same as with one.
    """

    def __init__(self, size: int, workers: int = 1) -> None:
        if size < 1 or workers < 1:
            raise ValueError("a batch needs at least one row and one worker")
        self.size, self.workers = size, workers

    def run(self, count: int, work: Callable[[slice], T]) -> list[T]:
        """Return work(rows) of consecutive slices that cover 0 .. count-1, as few and as even as the size allows.

        Raises UsageError if even one row does not fit into memory.
        """
        while True:
            pieces = -(-count // self.size)
            slices = [slice(count * i // pieces, count * (i + 1) // pieces) for i in range(pieces)]
            try:
                if self.workers == 1 or len(slices) < 2:
                    return list(map(work, slices))
                with ThreadPoolExecutor(self.workers) as pool:
                    return list(pool.map(work, slices))
            except (RuntimeError, MemoryError) as error:  # torch's own is a RuntimeError
                self._shrink(error)

    def _shrink(self, error: Exception) -> None:
        if not is_out_of_memory(error):
            raise error
        if self.size == 1:
            raise UsageError(
                "Out of memory with a single image; close other programs, use the type float16, let parts of the "
                "base wait in main memory, or use the CPU.",
                Setting("dtype", "float16"),
                Setting("offload", "model"),
                Setting("device", "cpu"),
            ) from error
        self.size //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


SMALL_LATENT = 256
"""Latent pixels up to which one row cannot keep several cores busy: 16 x 16."""
_CHANNELS = 32
"""Channels of a latent pixel, at most: FLUX.2's has as many, and in its patches of 2 x 2 four times that."""


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # what this process may use, not what the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_batching(denoiser: Denoiser, *, takes_turns: bool = False) -> Batching:
    """Return a starting size: small latents in large batches, an image of 512 px in 16 rows on a GPU and 2 on a CPU.

    On a CPU, small models run in slices side by side, one core each, which needs `torch.set_num_threads(1)`; but not
    where weights take turns on the device: what brings them serves one slice at a time.
    """
    return batching_for(denoiser.latent_shape, denoiser.device.type, takes_turns=takes_turns)


def batching_for(latent_shape: tuple[int, int, int], device: str, *, takes_turns: bool = False) -> Batching:
    """Return the starting size of `default_batching` for latents of a shape on a kind of device."""
    channels, height, width = latent_shape
    latent = height * width * max(1, channels // _CHANNELS)
    if device != "cpu":
        return Batching(max(1, min(64, 2**16 // latent)))
    if latent <= SMALL_LATENT:
        return Batching(32, workers=1 if takes_turns else _cores())
    return Batching(max(1, 2**13 // latent))
