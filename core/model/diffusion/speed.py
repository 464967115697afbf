"""Time and memory of an audit, estimated from one real batch before it starts."""

import os
import sys
import time
from dataclasses import dataclass

import torch

from .batch import Batching
from .denoiser import Denoiser


@dataclass(frozen=True)
class CostEstimate:
    """What one batch through the UNet and one image through the decoder cost."""

    seconds_per_row: float
    """Seconds per UNet row at this batch size."""
    peak_bytes: int
    """Most memory in use so far: of the GPU, or of the process where there is none."""

    def minutes(self, rows: int) -> float:
        """Return the minutes that so many UNet rows take."""
        return rows * self.seconds_per_row / 60


@torch.no_grad()
def estimate(denoiser: Denoiser, batch: Batching) -> CostEstimate:
    """Return the cost of one batch; the first run, which warms up kernels and memory, is not timed."""
    count = batch.size * batch.workers
    cond = denoiser.encode_text([""]).rows([0] * count)
    x = torch.zeros(count, *denoiser.latent_shape, device=denoiser.device, dtype=denoiser.dtype)
    t = torch.full((count,), denoiser.schedule.steps // 2, device=denoiser.device)
    # Reading a value waits for the device, which a timing must do.
    predict = lambda s: float(denoiser.predict(x[s], t[s], cond.rows(range(s.start, s.stop))).sum())  # noqa: E731
    batch.run(count, predict)
    start = time.perf_counter()
    batch.run(count, predict)
    seconds = time.perf_counter() - start
    denoiser.decode(x[:1])
    return CostEstimate(seconds / count, _peak_bytes(denoiser.device))


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


_TRIES = 8
"""Products that are timed: whatever else the machine does makes some slower, and none faster."""
_LONGEST = 0.2
"""Seconds after which no further one is tried: types that a processor knows nothing of are slow."""


def attained(device: torch.device, dtype: torch.dtype, threads: int = 0) -> float:
    """Return the floating-point operations a second that a device reaches in the fastest of some products of matrices.

    `threads` are those of the work that is to be foretold, where a processor does it; 0 takes as many as torch would.
    """
    before = torch.get_num_threads()
    if device.type == "cpu" and threads:
        torch.set_num_threads(threads)
    try:
        return _fastest(device, dtype)
    finally:
        torch.set_num_threads(before)


def _fastest(device: torch.device, dtype: torch.dtype) -> float:
    side = 512 if device.type == "cpu" else 4096  # some milliseconds on either
    a = torch.ones(side, side, device=device, dtype=dtype)
    float((a @ a)[0, 0])  # the first one loads code
    seconds: list[float] = []
    while len(seconds) < _TRIES and sum(seconds) < _LONGEST:
        start = time.perf_counter()
        float((a @ a)[0, 0])  # reading a value waits for the device
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds)


def memory_of(device: torch.device) -> int | None:
    """Return the bytes of a device's memory, or of the machine's where it is the processor; None where not known."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
