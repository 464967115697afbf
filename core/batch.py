"""How many rows go through the UNet at once."""

from collections.abc import Callable
from typing import TypeVar

import torch

from .errors import InvalidError

T = TypeVar("T")


class Batch:
    """A batch size that halves itself when the device runs out of memory."""

    def __init__(self, size: int):
        if size < 1:
            raise ValueError("a batch needs at least one row")
        self.size = size

    def run(self, count: int, work: Callable[[slice], T]) -> list[T]:
        """Return work(rows) of consecutive slices that cover 0 .. count-1; raise InvalidError if one row is too many."""
        results, start = [], 0
        while start < count:
            rows = slice(start, min(start + self.size, count))
            try:
                results.append(work(rows))
            except (torch.cuda.OutOfMemoryError, RuntimeError) as error:
                self._shrink(error)
                continue
            start = rows.stop
        return results

    def _shrink(self, error: Exception) -> None:
        if not _is_out_of_memory(error):
            raise error
        if self.size == 1:
            raise InvalidError(
                "Out of memory with a single image; close other programs, or use --dtype float16 or --device cpu."
            ) from error
        self.size //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(
        words in str(error) for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def default_batch(denoiser) -> Batch:
    """Return a starting size for a denoiser: small latents in large batches, one image of 512 px by four on a CPU."""
    latent = denoiser.latent_shape[1] * denoiser.latent_shape[2]
    budget = 2**16 if denoiser.device.type == "cuda" else 2**13
    return Batch(max(1, min(64, budget // latent)))
