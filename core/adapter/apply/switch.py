"""Turning adapters on and off by swapping `Parameter` objects: off is the base itself, bit for bit.

Adding and subtracting in place would change an eighth of all half-precision weights for good. Here the base's
own Parameters are put aside while others take their place, and are put back afterwards. At strength s the
weights are W + s (W' - W), where W' are those at strength 1.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import AdapterError, UsageError
from ...text import inert
from ..adapter import Adapter
from ..change.delta import Delta, changed_parameters
from ..change.weights import makes_weight
from .beside import AllBeside
from .match import Components, MatchedModule, Matching, match_modules
from .match_report import MatchReport, ReportBuilder

if TYPE_CHECKING:
    from torch.nn import Module, Parameter


@dataclass(frozen=True)
class Swap:
    """One Parameter of the base and the one that takes its place."""

    owner: "Module"
    """The module that holds it."""
    name: str
    """`weight` or `bias`."""
    base: "Parameter | None"
    """The base's own; None where it has no bias."""
    adapted: "Parameter"
    """The changed one, same type and device."""


class Switch:
    """One or more adapters prepared for one base, to be turned on and off many times.

    Not thread-safe. The memory is that of one copy of the changed weights.
    """

    def __init__(self, components: Components, adapters: Sequence[Adapter]) -> None:
        self._matchings = tuple(match_modules(adapter, components) for adapter in adapters)
        self._strengths = (1.0,) * len(adapters)
        self._is_on = False
        self._swaps, self.reports = self._form(self._strengths)

    @property
    def report(self) -> MatchReport:
        """Return how the first adapter matched."""
        return self.reports[0]

    def on(self, *strengths: float) -> None:
        """Change the base: one strength for each adapter, or none for 1.0 each.

        Strengths that were used last cost only the swap; others form the weights anew. Strength 0 for all
        adapters leaves the base as it is. Raises UsageError for another number of strengths.
        """
        if not strengths:
            strengths = (1.0,) * len(self._matchings)
        if len(strengths) != len(self._matchings):
            raise UsageError(f"{len(self._matchings)} adapters need as many strengths, not {len(strengths)}")
        self.off()
        if not any(strengths):
            return
        if strengths != self._strengths:
            self._swaps = []
            self._swaps, _ = self._form(strengths)
            self._strengths = strengths
        self._is_on = True
        for swap in self._swaps:
            swap.owner._parameters[swap.name] = swap.adapted

    def off(self) -> None:
        """Put the base's own Parameters back; does nothing when it is off already."""
        if self._is_on:
            for swap in self._swaps:
                swap.owner._parameters[swap.name] = swap.base
            self._is_on = False

    def _form(self, strengths: Sequence[float]) -> tuple[list[Swap], tuple[MatchReport, ...]]:
        """Return the changed Parameters at these strengths, and the reports at strength 1.

        Layer by layer, so that only one layer at a time exists in float32.
        """
        import torch

        builders = [ReportBuilder(matching) for matching in self._matchings]
        swaps: list[Swap] = []
        with torch.no_grad(), ExitStack() as stack:
            loads = [stack.enter_context(matching.reading()) for matching in self._matchings]
            for shares in _by_owner(self._matchings):
                changes: list[tuple[Delta, float]] = []
                for index, pair in shares:
                    change = pair.change(loads[index][pair.module.source])
                    builders[index].add(pair, change)
                    changes.append((change, strengths[index]))
                swaps += _swaps(shares[0][1].owner, changes)
        return swaps, tuple(builder.report() for builder in builders)


def _by_owner(matchings: Sequence[Matching]) -> list[list[tuple[int, MatchedModule]]]:
    """Return what changes each live module: its adapter's number and the module that matched."""
    groups: dict[Module, list[tuple[int, MatchedModule]]] = {}
    for index, matching in enumerate(matchings):
        for pair in matching.matched:
            groups.setdefault(pair.owner, []).append((index, pair))
    return list(groups.values())


def _swaps(owner: "Module", changes: "list[tuple[Delta, float]]") -> list[Swap]:
    adapted = changed_parameters(owner, changes)
    return [Swap(owner, name, owner._parameters[name], parameter) for name, parameter in adapted.items()]


def attached(components: Components, adapters: Sequence[Adapter], *, merged: bool = True) -> Switch | AllBeside:
    """Return what turns adapters on and off: `merged` where every weight of the base can be changed, else beside them.

    The weight of a layer that makes it of other numbers cannot.
    """
    makes = any(makes_weight(layer) for root in components.values() for layer in root.modules())
    return Switch(components, adapters) if merged and not makes else AllBeside(components, adapters)


def prepare(components: Components, *adapters: Adapter) -> Switch:
    """Return a switch for `adapters` on the live modules `components`, whose weights are plain; off at first.

    Raises AdapterError when an adapter cannot be applied at all; see `MatchReport.problems` for reasons that
    only forbid a score.
    """
    switch = Switch(components, adapters)
    _require_effect(adapters, switch.reports)
    return switch


def _require_effect(adapters: Sequence[Adapter], reports: Sequence[MatchReport]) -> None:
    for adapter, report in zip(adapters, reports, strict=True):
        if report.matched == 0 or report.not_finite:
            raise AdapterError(f"{inert(adapter.path.name)}: {report.problems[0]}")


@contextmanager
def applied(components: Components, adapter: Adapter, strength: float = 1.0) -> Iterator[MatchReport]:
    """Change the live modules `components` inside the `with` block; yields how the adapter matched.

    Afterwards, also after an exception, the base holds the very same Parameters as before.
    """
    with stacked(components, (adapter,), (strength,)) as reports:
        yield reports[0]


@contextmanager
def stacked(
    components: Components, adapters: Sequence[Adapter], strengths: Sequence[float]
) -> Iterator[tuple[MatchReport, ...]]:
    """Apply several adapters at once inside the `with` block; their changes add up."""
    switch = attached(components, adapters)
    _require_effect(adapters, switch.reports)
    try:
        switch.on(*strengths)
        yield switch.reports
    finally:
        switch.off()
