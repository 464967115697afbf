"""What an audit on the usual base of a file's family would say of its modules, told without a base. No torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..adapter import Adapter
from ..change.fit import shape_misfit
from ..change.sketch import Sketch
from ..module import AdapterModule
from ..naming.usual_layers import UsualLayers, usual_layers
from .coverage import TWICE, misfit_problem


@dataclass(frozen=True)
class Misplaced:
    """A module of a file for which the usual base has no layer, or one of another size."""

    module: AdapterModule
    """The module."""
    reason: str
    """Why it takes no effect there."""
    base: str = ""
    """Title of the base that has the layer, and in which the module still has no place; empty where it has none."""


def misplaced_modules(adapter: Adapter, look: Sketch) -> Sequence[Misplaced]:
    """Return the modules that the usual base of the file's family has no place for; not those of no change.

    Of several usual bases, which differ in size, it is the one that most modules fit, or else have a layer in.
    """
    changing = [module for module, size in zip(adapter.modules, look.sizes, strict=True) if size]
    found = [list(_misplaced(changing, usual)) for usual in usual_layers(adapter.family)]
    return min(found, key=lambda items: (len(items), sum(not item.base for item in items)), default=[])


def _misplaced(modules: Sequence[AdapterModule], usual: UsualLayers) -> Iterator[Misplaced]:
    changed = set[tuple[str, str]]()
    for module in modules:
        missing = usual.missing(module)
        misfit = usual.misfit(module, shape_misfit) if missing is None else None
        layers = usual.layers(module)
        if missing is not None:
            yield Misplaced(module, missing)
        elif misfit is not None:
            yield Misplaced(module, f"does not fit the usual base, {usual.title}: {misfit}", usual.title)
        elif changed & layers:
            yield Misplaced(module, TWICE, usual.title)
        else:
            changed |= layers


def wrong_sizes(misplaced: Sequence[Misplaced]) -> str | None:
    """Return the problem of modules that the layers of the usual base cannot be changed by; None without any."""
    return misfit_problem({item.module.stem: item.reason for item in misplaced if item.base})
