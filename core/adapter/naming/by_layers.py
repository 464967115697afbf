"""Whose layers a file's are, all of them, by name and size: where markers do not tell families apart, this may."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...families import Family, all_families
from ..module import AdapterModule
from .layer_tables import Shape
from .usual_layers import UsualLayers, usual_layers

_TOLD_BY = ("unet", "transformer", "text_conditioner")
"""Components by whose layers families are told apart: text encoders are shared."""


@dataclass(frozen=True)
class Alike:
    """A family that has every layer that a file changes, in that size."""

    family: Family
    """The family."""
    to_the_last_block: bool
    """Whether the file changes the last block of each row of blocks that it changes any of."""


def alike(modules: Sequence[AdapterModule]) -> list[Alike]:
    """Return the families with a usual base that has every layer of the denoiser that a file changes, in that size."""
    telling = [module for module in modules if module.component in _TOLD_BY]
    found: list[Alike] = []
    for family in all_families() if telling else ():
        fitting = [usual for usual in usual_layers(family.name) if all(_fits(module, usual) for module in telling)]
        if fitting:
            found.append(Alike(family, any(_reaches_the_end(usual, telling) for usual in fitting)))
    return found


def named_alike(modules: Sequence[AdapterModule]) -> list[Family]:
    """Return the families with a usual base that has every layer of the denoiser that a file changes, in any size."""
    telling = [module for module in modules if module.component in _TOLD_BY]
    return [
        family
        for family in (all_families() if telling else ())
        if any(all(usual.missing(module) is None for module in telling) for usual in usual_layers(family.name))
    ]


def listed(families: Sequence[Family]) -> str:
    """Return the titles of families for a sentence that says whose something is."""
    titles = [family.title for family in families]
    return " and of ".join(filter(None, (", ".join(titles[:-1]), *titles[-1:])))


def has_other_sizes(family: Family, modules: Sequence[AdapterModule]) -> bool:
    """Return whether most layers have another size in a family's usual bases than in a file, those that are there."""
    return any(placed for placed, _ in _counts(family, modules)) and all(
        2 * fitting < placed for placed, fitting in _counts(family, modules) if placed
    )


def _counts(family: Family, modules: Sequence[AdapterModule]) -> list[tuple[int, int]]:
    """Return for each usual base how many modules have a layer there, and how many of these fit it."""
    placed = [(usual, [m for m in modules if usual.missing(m) is None]) for usual in usual_layers(family.name)]
    return [(len(found), sum(_fits(module, usual) for module in found)) for usual, found in placed]


def _reaches_the_end(usual: UsualLayers, modules: Sequence[AdapterModule]) -> bool:
    theirs, own = usual.last_blocks(modules)
    return theirs == own


def _fits(module: AdapterModule, usual: UsualLayers) -> bool:
    return usual.missing(module) is None and usual.misfit(module, _misfit) is None


def _misfit(module: AdapterModule, shape: Shape) -> str | None:
    return module.outline.misfit(shape)
