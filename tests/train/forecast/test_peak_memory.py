"""Bytes are counted as long as their storage is alive, and those of views once."""

import pytest
import torch
from owf.core.train.forecast.peak_memory import PeakMemory
from owf.core.train.forecast.step import fake


@pytest.mark.parametrize("is_fake", [False, True])
def test_the_peak_is_what_is_alive_at_once(is_fake):
    mode = fake() if is_fake else torch.no_grad()
    with mode, PeakMemory() as memory:
        first = torch.zeros(1000)
        second = first.view(10, 100).t() + 1  # the view is none of its own
        assert memory.peak == 8000
        del first
        third = torch.cat([second.flatten()] * 2)  # what it flattens is a copy, which is there until it is done
        assert memory.peak == 4000 + 4000 + 8000
        del second, third
        torch.zeros(2000)
        assert memory.peak == 16000


def test_what_grows_counts_as_it_is():
    with PeakMemory() as memory:
        values = torch.zeros(10)
        values.resize_(1000)
    assert memory.peak == 4000


def test_what_autograd_keeps_is_alive():
    x = torch.ones(1000, requires_grad=True)
    with PeakMemory() as memory:
        y = x.exp()
        for _ in range(9):
            y = y.exp()  # each keeps its result until the backward pass
    assert memory.peak == 10 * 4000
