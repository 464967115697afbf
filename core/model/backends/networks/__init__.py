"""What each architecture is asked and how, one small class a file; a family's record names the file."""

import importlib

from .network import Network

__all__ = ["Network", "network_named"]


def network_named(name: str) -> type[Network]:
    """Return the class in the file called `name`, which the file calls NETWORK."""
    return importlib.import_module(f".{name}", __package__).NETWORK
