"""A machine is as fast as in its fastest try, with the threads that the work will have."""

import itertools

import pytest
import torch
from owf.core.model.diffusion import speed

CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch):
    """Return a function that makes products take so many seconds each, over and over."""

    def set_to(*seconds):
        times = itertools.chain.from_iterable((0.0, each) for each in itertools.cycle(seconds))
        monkeypatch.setattr(speed.time, "perf_counter", lambda: next(times))

    return set_to


def test_what_makes_some_tries_slow_counts_for_nothing(clock):
    clock(0.012, 0.001, 0.05, 0.012)
    assert speed.attained(CPU, torch.float32) == pytest.approx(2 * 512**3 / 0.001)


def test_slow_products_are_few(clock, monkeypatch):
    clock(1.0)
    calls = []
    monkeypatch.setattr(torch, "ones", lambda *_, **__: _Counting(calls))
    assert speed.attained(CPU, torch.float16) == pytest.approx(2 * 512**3)
    assert len(calls) == 2  # the first loads code


class _Counting:
    def __init__(self, calls):
        self._calls = calls

    def __matmul__(self, other):
        self._calls.append(1)
        return torch.zeros(1, 1)


@pytest.mark.parametrize(("asked", "had"), [(1, [1]), (3, [3]), (0, [])])
def test_the_threads_are_those_of_the_work_and_given_back(monkeypatch, asked, had):
    told = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    assert speed.attained(CPU, torch.float32, asked) > 0
    assert told == [*had, 7]
