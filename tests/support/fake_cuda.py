"""Fake CUDA tensors: devices and shapes without a GPU."""

import pytest
import torch
from owf.core.model.backends.diffusers import DiffusersDenoiser
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import _disable_current_modes


def require_fake_cuda() -> None:
    """Skip the test where torch asks for a driver even to make a fake CUDA tensor, as 2.1 does."""
    with FakeTensorMode():
        try:
            torch.empty(1, device="cuda")
        except (RuntimeError, AssertionError) as error:
            pytest.skip(f"this torch makes no fake CUDA tensors here: {error}")


def denoiser_of(parts, family: str = "demo") -> DiffusersDenoiser:
    """Return a denoiser of fake parts whose schedule is real: its numbers are checked, and fake ones have none."""
    with _disable_current_modes():
        return DiffusersDenoiser(parts, "fake", family)
