"""What training asks of torch on CUDA, and that the process has its own settings afterwards."""

from typing import Any

import pytest
import torch
import torch.utils.deterministic
from owf.core.train.loop.repeatable import repeatable


def settings():
    deterministic: Any = torch.utils.deterministic
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        deterministic.fill_uninitialized_memory,
    )


@pytest.fixture(params=[(False, False), (True, False), (True, True)])
def before(request):
    mode, warn_only = request.param
    torch.use_deterministic_algorithms(mode, warn_only=warn_only)
    yield settings()
    torch.use_deterministic_algorithms(False)


def test_on_cuda_sums_are_in_one_order_and_the_process_gets_its_settings_back(before):
    with repeatable(torch.device("cuda", 0)):
        assert settings() == (True, True, False)
    assert settings() == before


def test_they_come_back_after_an_error_too(before):
    with pytest.raises(KeyboardInterrupt), repeatable(torch.device("cuda")):
        raise KeyboardInterrupt
    assert settings() == before


def test_elsewhere_nothing_is_asked(before):
    with repeatable(torch.device("cpu")):
        assert settings() == before
