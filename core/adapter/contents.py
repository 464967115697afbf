"""The modules that a file's tensors make up: grouped by the module that a name means, built, duplicates set aside."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import AdapterError
from ..text import inert
from .containers.scalars import scalar
from .containers.source import Bytes, Entry, all_mapped
from .module import AGAIN, AdapterModule, BrokenModule, build_module
from .naming.names import Place, adapter_names, dotted, place
from .naming.refusals import refuse_other_kinds
from .opening import Part

_BUNDLED = re.compile(
    r"bundle_emb\..+\.(?:string_to_param\.\*|emb_params|(?:clip_[lg]|t5|t5xxl|llama)(?:_out)?)", re.DOTALL
)
"""Tensors that are known to change no weight: OneTrainer's embeddings, which a word of their own calls."""

_MOST_SPELLINGS = 16
"""Spellings of one module that are compared with one another: comparing all would take the square of their number."""


_MOST_ADAPTERS = 3
"""Names of adapters that a message lists."""


@dataclass(frozen=True)
class Contents:
    """What was found in all parts of a file. Every tensor is in exactly one of its fields."""

    modules: tuple[AdapterModule, ...]
    """The usable modules."""
    broken: tuple[BrokenModule, ...]
    """The modules that cannot be used."""
    twice: tuple[tuple[AdapterModule, AdapterModule], ...]
    """Two complete spellings of one module each: the first is in `modules` too, the second was set aside."""
    unknown: tuple[Entry, ...]
    """Tensors whose names are not understood."""
    bundled: tuple[Entry, ...]
    """Tensors that are known to change no weight: embeddings, and alphas that say again what is said."""
    dialects: tuple[str, ...]
    """Who writes such names, once per module."""


@dataclass(frozen=True)
class _Group:
    """The tensors of one module."""

    place: Place
    slots: Mapping[str, Entry]
    part: Part


def collect(parts: Sequence[Part]) -> Contents:
    """Return the modules in all parts; raises AdapterError for files that hold something else."""
    groups: list[_Group] = []
    unplaced: list[Entry] = []
    alphas: list[_Group] = []
    for part in parts:
        found, nowhere = _group(part)
        groups += (group for group in found if group.slots.keys() != {"alpha"})
        alphas += (group for group in found if group.slots.keys() == {"alpha"})
        unplaced += nowhere
    names = [name for part in parts for name in part.source.entries]
    _require_one_adapter(names)
    refuse_other_kinds(names, sum(len(group.slots) for group in groups if not _is_plain(group.slots)))
    modules, broken = _build_all(groups)
    kept, twice = _without_duplicates(modules)
    bundled = [entry for entry in unplaced if _BUNDLED.fullmatch(entry.name)]
    unknown = [entry for entry in unplaced if not _BUNDLED.fullmatch(entry.name)]
    # An alpha without factors changes nothing where it is; it may belong elsewhere, as others without a place may.
    for group, again in _said_again(alphas, kept):
        (bundled if again else unknown).append(group.slots["alpha"])
    dialects = tuple(group.place.dialect for group in groups)
    return Contents(tuple(kept), tuple(broken), tuple(twice), tuple(unknown), tuple(bundled), dialects)


def _require_one_adapter(names: Sequence[str]) -> None:
    """Raise AdapterError where tensors belong to adapters of several names: put together they are none of them."""
    owners = adapter_names(names)
    if len(owners) > 1:
        named = sorted(owners - {""})
        unnamed = ["one without a name"] if "" in owners else []
        listed = ", ".join([inert(owner, 40) for owner in named[:_MOST_ADAPTERS]] + unnamed)
        raise AdapterError(f"it holds {len(owners)} adapters: {listed}; save each in a file of its own")


def _said_again(alphas: Sequence[_Group], modules: Sequence[AdapterModule]) -> Iterator[tuple[_Group, bool]]:
    """Yield the alphas without factors, and whether they say in another spelling what those of a module say."""
    known = {(module.component, module.path): module.alpha for module in modules if "alpha" in module.slots}
    with all_mapped(group.part.source for group in alphas) as reads:
        for group in alphas:
            try:
                value = scalar(group.slots["alpha"], reads[group.part.source])
            except AdapterError:
                value = math.nan  # equals none
            yield group, value == known.get((group.place.component, group.place.path))


def _group(part: Part) -> tuple[list[_Group], list[Entry]]:
    """Return the tensors of one part grouped by module, and those whose names belong to none."""
    modules: dict[tuple[str, str], dict[str, tuple[Place, dict[str, Entry]]]] = {}
    unplaced: list[Entry] = []
    for name, entry in part.source.entries.items():
        where = place(name, part.component)
        if where is None:
            unplaced.append(entry)
            continue
        spellings = modules.setdefault((where.component, where.path), {})
        slots = spellings.setdefault(where.stem, (where, {}))[1]
        slot = where.slot
        while slot in slots:
            slot = AGAIN + slot
        slots[slot] = entry
    groups = [group for spellings in modules.values() for group in _merged(list(spellings.values()), part)]
    return groups, unplaced


def _merged(spellings: Sequence[tuple[Place, dict[str, Entry]]], part: Part) -> Iterator[_Group]:
    """Yield the spellings of one module, put together where they complement one another.

    Converters leave single tensors in other spellings, such as a magnitude with dots beside factors with underscores.
    Spellings that have a slot in common are two accounts of one module.
    """
    accounts: list[list[tuple[Place, dict[str, Entry]]]] = []
    for spelling in spellings[:_MOST_SPELLINGS]:
        room = (account for account in accounts if all(spelling[1].keys().isdisjoint(other) for _, other in account))
        account = next(room, None)
        if account is None:
            accounts.append([spelling])
        else:
            account.append(spelling)
    # No program spells a module in so many ways; each of these is an account of its own, and not applied.
    accounts += [[spelling] for spelling in spellings[_MOST_SPELLINGS:]]
    for account in accounts:
        most, _ = max(account, key=lambda spelling: len(spelling[1]))
        yield _Group(most, {slot: entry for _, slots in account for slot, entry in slots.items()}, part)


def _is_plain(slots: Mapping[str, Entry]) -> bool:
    """Return whether these are a layer's own weights: whole models hold such, and so does what was trained whole."""
    return slots.keys() <= {"weight", "bias"}


def _build_all(groups: Sequence[_Group]) -> tuple[list[AdapterModule], list[BrokenModule]]:
    modules: list[AdapterModule] = []
    broken: list[BrokenModule] = []
    with all_mapped(group.part.source for group in groups) as reads:
        for group in groups:
            try:
                modules.append(_build(group, reads[group.part.source]))
            except AdapterError as error:
                size = sum(entry.size for entry in group.slots.values())
                broken.append(BrokenModule(group.place.stem, str(error), len(group.slots), size))
    return modules, broken


def _build(group: _Group, read: Bytes) -> AdapterModule:
    where, part = group.place, group.part
    if _is_plain(group.slots):
        kinds = " and ".join(sorted(group.slots))
        raise AdapterError(f"a {kinds} alone: a layer stored whole (modules_to_save, bias), or a tensor not understood")
    scaling = part.config(where.component).scaling(dotted(where.stem))
    return build_module((where.component, where.path, where.stem), group.slots, part.source, read, scaling)


def _without_duplicates(
    modules: Iterable[AdapterModule],
) -> tuple[list[AdapterModule], list[tuple[AdapterModule, AdapterModule]]]:
    """Return the first account of every module, and the pairs of first and later ones."""
    kept: dict[str, AdapterModule] = {}
    twice: list[tuple[AdapterModule, AdapterModule]] = []
    for module in modules:
        first = kept.setdefault(module.name, module)
        if first is not module:
            twice.append((first, module))
    return list(kept.values()), twice
