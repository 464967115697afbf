"""Which modules of a file change which modules of a live base, and whether that may be scored."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ... import families
from ...errors import AdapterError
from ...text import counted, inert
from ..adapter import Adapter
from ..blocks import ModuleNorms, block_of, kind_of
from ..containers.source import Loader, Source, all_mapped, all_reading
from ..module import AdapterModule
from ..naming.names import flatten, is_typical
from .coverage import Coverage, Unapplied, left_out_of_file
from .delta import Delta, delta, misfit
from .places import Components, Places
from .sketch import changes_nothing
from .unexpected import LivePaths, near_misses, unexpected_in_modules
from .weights import Fused, read_weight

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class MatchedModule:
    """One module of the file and the live module that it changes."""

    module: AdapterModule
    """The change."""
    owner: "torch.nn.Module"
    """What is changed."""
    whole: Fused | None = None
    """What the file's module is one layer of, where the live one is a part of it only; None where it is all."""

    def change(self, load: Loader, device: "torch.device | None" = None) -> Delta:
        """Return what is added to the live module, on its weight's device unless told."""
        if self.whole is None:
            return delta(self.module, self.owner, load, device)
        change = delta(self.module, self.whole, load, device)
        bias = None if change.bias is None else self.whole.share(self.owner, change.bias)
        return Delta(self.whole.share(self.owner, change.weight), bias)


@dataclass(frozen=True)
class Matching:
    """A file fitted to a base by names and shapes; nothing has been read or computed."""

    adapter: Adapter
    """The file."""
    matched: tuple[MatchedModule, ...]
    """What fits."""
    unmatched: tuple[Unapplied, ...]
    """Sound modules that do not."""
    unexpected: str | None
    """The problem of tensors that are not understood but name a module of file or base; None without any."""

    @property
    def modules(self) -> tuple[AdapterModule, ...]:
        """Return the file's modules that fit, each once: one may change several layers of the base."""
        return tuple({pair.module.name: pair.module for pair in self.matched}.values())

    @property
    def takes_effect(self) -> Coverage:
        """Return what of the file takes effect in the base, by names and shapes, and what does not."""
        modules = self.modules
        tensors, size = sum(len(module.slots) for module in modules), sum(module.size for module in modules)
        return Coverage(len(self.matched), tensors, size, (*left_out_of_file(self.adapter), *self.unmatched))

    def reading(self) -> "AbstractContextManager[Mapping[Source, Loader]]":
        """Return a context in which the containers of all that fits are open, with their loaders."""
        return all_reading(pair.module.source for pair in self.matched)


@dataclass(frozen=True)
class MatchReport:
    """How much of a LoRA file took effect: a LoRA that did not apply must never read as harmless."""

    takes_effect: Coverage
    """What of the file takes effect in the base, and what does not."""
    unexpected: str | None
    """The problem of tensors that are not understood but name a module of file or base; None without any."""
    delta_norm: float
    """Frobenius norm of the whole change of the weights at strength 1; NaN when it could not be computed."""
    base_norm: float
    """Frobenius norm of the weights that it changes."""
    not_finite: tuple[str, ...]
    """Modules whose changed weights contain NaN or infinity."""
    broken: tuple[Unapplied, ...]
    """Modules of the file that are damaged or contradictory."""
    norms: tuple[ModuleNorms, ...] = ()
    """Size of the change of every module that was changed, biases included; empty when it was not computed."""

    @property
    def matched(self) -> int:
        """Return the number of modules of the base that were changed."""
        return self.takes_effect.modules

    @property
    def unmatched(self) -> tuple[Unapplied, ...]:
        """Return the modules and tensors of the file that changed nothing, with reasons."""
        return self.takes_effect.left_out

    @property
    def relative_change(self) -> float:
        """Return the norm of the change relative to that of the weights it changes."""
        return self.delta_norm / self.base_norm if self.base_norm else 0.0

    @property
    def coverage(self) -> str:
        """Return the sentence that every report shows."""
        return self.takes_effect.sentence("applied to")

    @property
    def problems(self) -> tuple[str, ...]:
        """Return why a score would be meaningless; empty when the file may be audited."""
        if self.matched == 0:
            return (f"no module of the file fits this base{self._reasons()}",)
        found = []
        if self.not_finite:
            found.append(f"NaN or infinity in {counted(len(self.not_finite), 'module')}, such as {self.not_finite[0]}")
        if self.broken:
            first = self.broken[0]
            found.append(f"{counted(len(self.broken), 'broken module')}, such as {first.name}: {first.reason}")
        found += filter(None, (self.takes_effect.problem() or self.unexpected,))
        if self.delta_norm == 0:
            found.append("the file changes no weight: its delta is exactly zero")
        return tuple(found)

    def _reasons(self) -> str:
        common = Counter(item.reason for item in self.unmatched).most_common(2)
        return ": " + "; ".join(f"{reason} ({count})" for reason, count in common) if common else ""


def match_modules(adapter: Adapter, components: Components) -> Matching:
    """Return which modules of `adapter` fit which of `components`, by name and shape alone.

    Layers in the names of a transformer's original code are found by what its family says of them; where it says
    nothing, files in names that no live module has are first converted by diffusers.
    """
    adapter, refusal = _in_live_names(adapter, components)
    places = Places(components)
    matched: list[MatchedModule] = []
    unmatched: list[tuple[AdapterModule, str, bool]] = []
    for module in adapter.modules:
        owner = places.owner_of(module)
        reason = refusal or _missing(module, components) if owner is None else misfit(module, owner)
        if owner is None or reason is not None:
            unmatched.append((module, reason or "unknown", owner is not None))
        else:
            matched += _matches(module, owner)
    matched, again = _once(matched)
    unmatched += [(module, "another module of the file changes the same layer", True) for module in again]
    idle = _idle([module for module, _, _ in unmatched])
    unmatched = [item for item in unmatched if item[0].name not in idle]
    live = places.live_paths()
    left_out = (Unapplied(inert(m.stem), reason, len(m.slots), m.size) for m, reason, _ in unmatched)
    unexpected = unexpected_in_modules(adapter, live) or _misfits(unmatched, live)
    return Matching(adapter, tuple(matched), tuple(left_out), unexpected)


def _idle(modules: Sequence[AdapterModule]) -> set[str]:
    """Return the names of the modules that change nothing, of which it does not matter whether the base has them.

    What ComfyUI extracts holds such of layers that only its own text encoders have.
    """
    with all_mapped(module.source for module in modules) as reads:
        return {module.name for module in modules if changes_nothing(module, reads[module.source])}


def _misfits(unmatched: Sequence[tuple[AdapterModule, str, bool]], live: LivePaths) -> str | None:
    """Return the problem of modules that the base has, or has a part of, but in which these cannot be placed."""
    wrong = {module.stem: reason for module, reason, has_owner in unmatched if has_owner}
    near = near_misses((module for module, _, has_owner in unmatched if not has_owner), live)
    wrong.update((module.stem, "names a part or variant of a module") for module in near)
    if not wrong:
        return None
    stem, reason = next(iter(wrong.items()))
    return (
        f"{counted(len(wrong), 'module')} of the base cannot be changed as the file says: {inert(stem, 120)} ({reason})"
    )


def _matches(module: AdapterModule, owner: "torch.nn.Module | Fused") -> list[MatchedModule]:
    if not isinstance(owner, Fused):
        return [MatchedModule(module, owner)]
    return [MatchedModule(module, part, owner) for part in dict.fromkeys(owner.owners)]


def _once(matched: Sequence[MatchedModule]) -> tuple[list[MatchedModule], list[AdapterModule]]:
    """Return the matches of modules that alone change their layers, and the modules that come second at one.

    Files of some programs hold a fused layer and its parts besides: adding both would apply the change twice.
    """
    first: dict[torch.nn.Module, str] = {}
    again: dict[str, AdapterModule] = {}
    for pair in matched:
        if first.setdefault(pair.owner, pair.module.name) != pair.module.name:
            again[pair.module.name] = pair.module
    return [pair for pair in matched if pair.module.name not in again], list(again.values())


def _in_live_names(adapter: Adapter, components: Components) -> tuple[Adapter, str | None]:
    """Return the adapter as the live transformer names it, and why that is impossible where it is."""
    transformer = components.get("transformer")
    if transformer is None or families.layers_of(type(transformer).__name__):
        return adapter, None
    live = {flatten("transformer", dotted) for dotted, _ in transformer.named_modules()}
    if all(module.path in live for module in adapter.modules if module.component == "transformer"):
        return adapter, None
    from .convert import converted

    try:
        return converted(adapter, transformer), "not supported yet: neither the base nor diffusers knows this name"
    except AdapterError as error:
        return adapter, str(error)


def match(adapter: Adapter, components: Components) -> MatchReport:
    """Return how `adapter` fits `components` and how large its change is; the base stays as it is.

    Every change is computed once, one module at a time, because a zero or broken change shows in no name
    or shape. Costs one merge; memory beyond the file is that of the largest module.
    """
    return report_of(match_modules(adapter, components))


def report_of(matching: Matching) -> MatchReport:
    """Return how large the change of a matching is, computed once."""
    builder = ReportBuilder(matching)
    for pair, change in deltas(matching):
        builder.add(pair, change)
    return builder.report()


def deltas(matching: Matching) -> Iterator[tuple[MatchedModule, Delta]]:
    """Yield every change of a matching, computed without gradients."""
    import torch

    with torch.no_grad(), matching.reading() as loads:
        for pair in matching.matched:
            yield pair, pair.change(loads[pair.module.source])


class ReportBuilder:
    """Sums the changes of one matching into its report."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._matched: list[MatchedModule] = []
        self._changes: list[torch.Tensor] = []
        self._bases: list[torch.Tensor] = []

    def add(self, pair: MatchedModule, change: Delta) -> None:
        """Count the change of one module; an overflow of half precision counts as infinite."""
        import torch

        weight = read_weight(pair.owner)
        norm = torch.linalg.vector_norm(change.weight)
        if change.bias is not None:
            norm = torch.hypot(norm, torch.linalg.vector_norm(change.bias))
        if weight.dtype == torch.float16:
            peak = (weight + change.weight).abs().amax()
            norm = torch.where(peak > torch.finfo(torch.float16).max, torch.inf, norm)
        self._matched.append(pair)
        self._changes.append(norm)
        self._bases.append(torch.linalg.vector_norm(weight, dtype=norm.dtype))

    def report(self) -> MatchReport:
        """Return the report; waits for the device."""
        matched = self._matched
        fake = _is_fake(self._changes)
        changes = [] if fake else [float(norm) for norm in self._changes]
        bases = [] if fake else [float(norm) for norm in self._bases]
        bad = [pair for pair, norm in zip(matched, changes, strict=False) if not math.isfinite(norm)]
        matching = self._matching
        takes_effect = matching.takes_effect
        return MatchReport(
            takes_effect=takes_effect,
            unexpected=matching.unexpected,
            delta_norm=math.nan if fake else math.hypot(*changes),
            base_norm=math.nan if fake else math.hypot(*bases),
            not_finite=tuple(inert(pair.module.stem) for pair in bad),
            broken=takes_effect.left_out[: len(matching.adapter.broken)],
            norms=tuple(_norms(*sizes) for sizes in zip(matched, changes, bases, strict=False)),
        )


def _norms(pair: MatchedModule, change: float, base: float) -> ModuleNorms:
    return ModuleNorms(block_of(pair.module), kind_of(pair.module), change, base)


def _is_fake(tensors: "list[torch.Tensor]") -> bool:
    """Return whether the tensors have no values, as under FakeTensorMode."""
    from torch._subclasses.fake_tensor import FakeTensor

    return any(isinstance(tensor, FakeTensor) for tensor in tensors)


_DENOISERS = {"unet": "U-Net", "transformer": "transformer"}


def _missing(module: AdapterModule, components: Components) -> str:
    """Return why no live module has the name of `module`."""
    if module.component in components:
        return f"the base's {module.component} has no such module"
    live = next((part for part in _DENOISERS if part in components), None)
    if module.component not in _DENOISERS or live is None:
        return f"the base has no {module.component}"
    if is_typical(module.component, module.path):
        return f"made for a {_DENOISERS[module.component]}, the base has a {_DENOISERS[live]}"
    return f"the base's {live} has no such module"
