"""Training wants a newer torch than audits do."""

from torch_that_trains import torch_that_trains

__all__ = ["torch_that_trains"]
