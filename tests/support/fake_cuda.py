"""Fake CUDA tensors: devices and shapes without a GPU."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from owf.core.model.backends.diffusers import DiffusersDenoiser
from tiny_sd import tiny_parts
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import _disable_current_modes


def require_fake_cuda() -> None:
    """Skip the test where torch asks for a driver even to make a fake CUDA tensor, as 2.1 does."""
    with FakeTensorMode():
        try:
            torch.empty(1, device="cuda")
        except (RuntimeError, AssertionError) as error:
            pytest.skip(f"this torch makes no fake CUDA tensors here: {error}")


def fused_attention(query, key, value, *args, **kwargs):
    """Allocate what CUDA's fused kernels do: the output. Fake tensors take the unfused path, which no GPU takes."""
    return query.new_empty(*query.shape[:-1], value.shape[-1])


def denoiser_of(parts, family: str = "demo") -> DiffusersDenoiser:
    """Return a denoiser of fake parts whose schedule is real: its numbers are checked, and fake ones have none."""
    with _disable_current_modes():
        return DiffusersDenoiser(parts, "fake", family)


def made_on_fake_cuda(make: Callable[[], SimpleNamespace], dtype: torch.dtype) -> SimpleNamespace:
    """Return parts on a fake GPU in a type: built as what they are to be, as fake parameters cannot be moved."""
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cuda"):
            return make()
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def tiny_on_fake_cuda(dtype: torch.dtype) -> Iterator[DiffusersDenoiser]:
    """Return a context in which tensors are fake, with the tiny model on a fake GPU in a type."""
    require_fake_cuda()
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield denoiser_of(made_on_fake_cuda(tiny_parts, dtype))
