"""Training wants a newer torch than audits do, and tests of it draw in few steps: they ask nothing of the pictures."""

import pytest
from owf.core.model.diffusion import drawings
from owf.core.model.diffusion.sample import Sampling
from owf.core.train import base_check
from torch_that_trains import torch_that_trains

__all__ = ["torch_that_trains"]


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(drawings, "SAMPLING", Sampling(3, 5.0))
    monkeypatch.setattr(base_check, "SAMPLING", Sampling(3, 1.0))
