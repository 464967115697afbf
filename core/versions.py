"""What numbers may depend on besides models and plans: the versions of what computes them. No torch."""

import platform
from importlib.metadata import PackageNotFoundError, version

from .. import __version__

LIBRARIES = ("torch", "diffusers", "transformers", "numpy")
"""Libraries whose version may change the last digit."""


def versions() -> dict[str, str]:
    """Return the versions of this program, its libraries and Python."""
    return {"owf": __version__, **{name: _version(name) for name in LIBRARIES}, "python": platform.python_version()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
