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
from .match import Components, MatchedModule, MatchReport, match_modules, report_of

if TYPE_CHECKING:
    from torch.nn import Module, Parameter


@contextmanager
def applied_on_the_fly(components: Components, adapter: Adapter, strength: float = 1.0) -> Iterator[MatchReport]:
    """Like `switch.applied`, but each layer's changed weight exists only while that layer runs.

    The result is equal bit for bit; memory beyond the file is that of the largest layer, and every forward
    pass costs one merge more. Raises AdapterError when the adapter cannot be applied at all.
    """
    matching = match_modules(adapter, components)
    report = report_of(matching)
    if report.matched == 0 or report.not_finite:
        raise AdapterError(f"{inert(adapter.path.name)}: {report.problems[0]}")
    with ExitStack() as stack:
        load = stack.enter_context(matching.reading())
        for pair in matching.matched if strength else ():
            stack.enter_context(_swapped_while_running(pair, load[pair.module.source], strength))
        yield report


@contextmanager
def _swapped_while_running(pair: MatchedModule, load: Loader, strength: float) -> Iterator[None]:
    """Put hooks around the forward pass of one layer that swap its Parameters in and out."""
    owner, kept = pair.owner, dict[str, "Parameter | None"]()

    def enter(module: "Module", inputs: tuple[object, ...]) -> None:
        if not kept:
            kept.update(_swap_in(pair, load, strength))

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


def _swap_in(pair: MatchedModule, load: Loader, strength: float) -> "dict[str, Parameter | None]":
    """Replace the layer's Parameters by changed ones and return those that were there."""
    import torch

    with torch.no_grad():
        adapted = changed_parameters(pair.owner, [(delta(pair.module, pair.owner, load), strength)])
    before = {name: pair.owner._parameters[name] for name in adapted}
    pair.owner._parameters.update(adapted)
    return before
