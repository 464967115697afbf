"""Which modules of a file change which modules of a live base."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ... import families
from ...errors import AdapterError
from ...text import inert
from ..adapter import Adapter
from ..change.delta import Delta, delta, misfit
from ..change.sketch import changes_nothing
from ..change.weights import Fused
from ..containers.source import Loader, Source, all_mapped, all_reading
from ..module import AdapterModule
from ..naming.names import DENOISERS, flatten, is_typical
from .coverage import TWICE, Coverage, Unapplied, left_out_of_file, misfit_problem
from .omi import in_live_order
from .places import Components, Places
from .unexpected import LivePaths, near_misses, unexpected_in_modules

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
    changes_text: bool
    """Whether a module of any part of the base but the denoiser is changed: prompts are encoded otherwise then."""

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
    unmatched += [(module, TWICE, True) for module in again]
    idle = _idle([module for module, _, _ in unmatched])
    unmatched = [item for item in unmatched if item[0].name not in idle]
    live = places.live_paths()
    left_out = (Unapplied(inert(m.stem), reason, len(m.slots), m.size) for m, reason, _ in unmatched)
    unexpected = unexpected_in_modules(adapter, live) or _misfits(unmatched, live)
    return Matching(
        adapter, tuple(matched), tuple(left_out), unexpected, places.any_reads(pair.owner for pair in matched)
    )


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
    return misfit_problem(wrong)


def _matches(module: AdapterModule, owner: "torch.nn.Module | Fused") -> list[MatchedModule]:
    if not isinstance(owner, Fused):
        return [MatchedModule(module, owner)]
    return [MatchedModule(module, part, owner) for part in dict.fromkeys(owner.owners)]


def _once(matched: Sequence[MatchedModule]) -> tuple[list[MatchedModule], list[AdapterModule]]:
    """Return the matches of modules that alone change their layers, and the modules that come second at one.

    Files of some programs hold a fused layer and its parts besides: adding both would apply the change twice.
    """
    first: dict[torch.nn.Module, AdapterModule] = {}
    again: dict[int, AdapterModule] = {}  # two spellings of a layer may have one name here
    for pair in matched:
        if first.setdefault(pair.owner, pair.module) is not pair.module:
            again[id(pair.module)] = pair.module
    return [pair for pair in matched if id(pair.module) not in again], list(again.values())


def _in_live_names(adapter: Adapter, components: Components) -> tuple[Adapter, str | None]:
    """Return the adapter as the live transformer names it, and why that is impossible where it is."""
    transformer = components.get("transformer")
    if transformer is None:
        return adapter, None
    layers = families.layers_of(type(transformer).__name__)
    if layers:
        return in_live_order(adapter, families.Layers(layers)), None
    live = {flatten("transformer", dotted) for dotted, _ in transformer.named_modules()}
    if all(module.path in live for module in adapter.modules if module.component == "transformer"):
        return adapter, None
    from .convert import converted

    try:
        return converted(adapter, transformer), "not supported yet: neither the base nor diffusers knows this name"
    except AdapterError as error:
        return adapter, str(error)


def deltas(matching: Matching) -> Iterator[tuple[MatchedModule, Delta]]:
    """Yield every change of a matching, computed without gradients."""
    import torch

    with torch.no_grad(), matching.reading() as loads:
        for pair in matching.matched:
            yield pair, pair.change(loads[pair.module.source])


def _missing(module: AdapterModule, components: Components) -> str:
    """Return why no live module has the name of `module`."""
    if module.component in components:
        return f"the base's {module.component} has no such module"
    live = next((part for part in DENOISERS if part in components), None)
    if module.component not in DENOISERS or live is None:
        return f"the base has no {module.component}"
    if is_typical(module.component, module.path):
        return f"made for a {DENOISERS[module.component]}, the base has a {DENOISERS[live]}"
    return f"the base's {live} has no such module"
