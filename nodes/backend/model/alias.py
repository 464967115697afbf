"""A tree of names above modules that stay where they are."""

from collections.abc import Sequence
from typing import Any

from torch import nn


class Alias(nn.Module):
    """A branch of the tree. Who puts another module in a leaf's place, puts it into the real network."""

    def __init__(self) -> None:
        super().__init__()
        self.homes: dict[str, tuple[nn.Module, str]] = {}

    def graft(self, path: Sequence[str], parent: nn.Module, leaf: str) -> None:
        """Add the child `leaf` of the real module `parent` under a path of new names."""
        branch = self.place(path, parent.get_submodule(leaf))
        branch.homes[path[-1]] = (parent, leaf)

    def place(self, path: Sequence[str], module: nn.Module) -> "Alias":
        """Add a module under a path of new names and return the branch that holds it."""
        branch = self
        for name in path[:-1]:
            if name not in branch._modules:  # named_children() leaves out what has another name already
                branch.add_module(name, Alias())
            inner = branch._modules[name]
            assert isinstance(inner, Alias)
            branch = inner
        branch.add_module(path[-1], module)
        return branch

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in self.__dict__.get("homes", {}):
            parent, leaf = self.homes[name]
            setattr(parent, leaf, value)
