"""Fake CUDA tensors: devices and shapes without a GPU."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode


def require_fake_cuda() -> None:
    """Skip the test where torch asks for a driver even to make a fake CUDA tensor, as 2.1 does."""
    with FakeTensorMode():
        try:
            torch.empty(1, device="cuda")
        except (RuntimeError, AssertionError) as error:
            pytest.skip(f"this torch makes no fake CUDA tensors here: {error}")
