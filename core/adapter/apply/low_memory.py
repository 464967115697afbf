"""Adapters applied layer by layer during the forward pass, where memory for a second set of weights is short.

No command goes this way yet. It is here for bases of several gigabytes, such as SDXL's, where a card may hold one set
of weights and not two.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from ...errors import AdapterError
from ...text import inert
from ..adapter import Adapter
from ..containers.source import Loader
from .delta import changed_parameters, delta
from .match import Binding, Bond, Components, MatchReport, Tally, bind, deltas

if TYPE_CHECKING:
    from torch.nn import Module, Parameter


@contextmanager
def applied_on_the_fly(components: Components, adapter: Adapter, strength: float = 1.0) -> Iterator[MatchReport]:
    """Like `switch.applied`, but each layer's changed weight exists only while that layer runs.

    The result is equal bit for bit; memory beyond the file is that of the largest layer, and every forward
    pass costs one merge more. Raises AdapterError when the adapter cannot be applied at all.
    """
    binding = bind(adapter, components)
    report = _report(binding)
    if report.matched == 0 or report.not_finite:
        raise AdapterError(f"{inert(adapter.path.name)}: {report.problems[0]}")
    with ExitStack() as stack:
        load = stack.enter_context(binding.reading())
        for bond in binding.bonds if strength else ():
            stack.enter_context(_swapped_while_running(bond, load[bond.module.source], strength))
        yield report


def _report(binding: Binding) -> MatchReport:
    tally = Tally(binding)
    for bond, change in deltas(binding):
        tally.add(bond, change)
    return tally.report()


@contextmanager
def _swapped_while_running(bond: Bond, load: Loader, strength: float) -> Iterator[None]:
    """Put hooks around the forward pass of one layer that swap its Parameters in and out."""
    owner, kept = bond.owner, dict[str, "Parameter | None"]()

    def enter(module: "Module", inputs: tuple[object, ...]) -> None:
        if not kept:
            kept.update(_swap_in(bond, load, strength))

    def leave(module: "Module", inputs: tuple[object, ...], output: object) -> None:
        owner._parameters.update(kept)
        kept.clear()

    handles = owner.register_forward_pre_hook(enter), owner.register_forward_hook(leave, always_call=True)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        owner._parameters.update(kept)


def _swap_in(bond: Bond, load: Loader, strength: float) -> "dict[str, Parameter | None]":
    """Replace the layer's Parameters by changed ones and return those that were there."""
    import torch

    with torch.no_grad():
        adapted = changed_parameters(bond.owner, [(delta(bond.module, bond.owner, load), strength)])
    before = {name: bond.owner._parameters[name] for name in adapted}
    bond.owner._parameters.update(adapted)
    return before
