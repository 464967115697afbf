"""Training wants a newer torch than audits do."""

import pytest
import torch
from packaging.version import Version


@pytest.fixture(scope="session", autouse=True)
def torch_that_trains():
    """Skip what needs the torch of the extra `train` where only the package's own lower bound is installed."""
    if Version(torch.__version__) < Version("2.3"):
        pytest.skip(f"training needs torch 2.3 or newer; this is {torch.__version__}")
