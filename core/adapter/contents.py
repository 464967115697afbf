"""The modules that a file's tensors make up: grouped by name, built, duplicates set aside."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ..errors import AdapterError
from ..text import inert
from .module import AdapterModule, BrokenModule, build_module
from .names import Place, dotted, place
from .refusals import refuse_other_kinds
from .source import Bytes, Entry
from .sources import Part

_PEFT = "peft folder"


@dataclass(frozen=True)
class Contents:
    """What was found in all parts of a file."""

    modules: tuple[AdapterModule, ...]
    """The usable modules."""
    broken: tuple[BrokenModule, ...]
    """The modules that cannot be used."""
    twice: tuple[tuple[str, str], ...]
    """Pairs of spellings of one module, untrusted; the second was set aside."""
    ignored: tuple[str, ...]
    """Names of tensors that belong to no module, inert."""
    dialects: tuple[str, ...]
    """Who writes such names, once per module."""


@dataclass(frozen=True)
class _Group:
    """The tensors that one spelling of one module collects."""

    place: Place
    slots: Mapping[str, Entry]
    part: Part


def collect(parts: Sequence[Part]) -> Contents:
    """Return the modules in all parts; raises AdapterError for files that hold something else."""
    groups: list[_Group] = []
    ignored: list[str] = []
    for part in parts:
        found, strangers = _group(part)
        groups += found
        ignored += strangers
    names = [name for part in parts for name in part.source.entries]
    refuse_other_kinds(names, sum(len(group.slots) for group in groups))
    modules, broken = _build_all(groups)
    kept, twice = _without_duplicates(modules)
    dialects = tuple(group.place.dialect for group in groups)
    return Contents(tuple(kept), tuple(broken), tuple(twice), tuple(ignored), dialects)


def _group(part: Part) -> tuple[list[_Group], list[str]]:
    """Return the tensors of one part grouped by module, and the names that belong to none."""
    groups: dict[tuple[str, str], tuple[Place, dict[str, Entry]]] = {}
    ignored: list[str] = []
    for name, entry in part.source.entries.items():
        where = place(name, part.component)
        if where is None:
            ignored.append(inert(name, 120))
            continue
        slots = groups.setdefault((where.component, where.stem), (where, {}))[1]
        slots[where.slot if where.slot not in slots else f"second {where.slot}"] = entry
    plain = {key for key, (where, slots) in groups.items() if _is_plain(slots) and where.dialect != _PEFT}
    ignored += [inert(entry.name, 120) for key in plain for entry in groups[key][1].values()]
    return [_Group(*groups[key], part) for key in groups if key not in plain], ignored


def _is_plain(slots: Mapping[str, Entry]) -> bool:
    """Return whether these are a layer's own weights. Whole models hold such; of a LoRA, PEFT replaces the base's."""
    return slots.keys() <= {"weight", "bias"}


def _build_all(groups: Sequence[_Group]) -> tuple[list[AdapterModule], list[BrokenModule]]:
    modules: list[AdapterModule] = []
    broken: list[BrokenModule] = []
    with ExitStack() as stack:
        parts = {id(group.part): group.part for group in groups}
        reads = {key: stack.enter_context(part.source.mapped()) for key, part in parts.items()}
        for group in groups:
            try:
                modules.append(_build(group, reads[id(group.part)]))
            except AdapterError as error:
                broken.append(BrokenModule(group.place.stem, str(error), len(group.slots)))
    return modules, broken


def _build(group: _Group, read: Bytes) -> AdapterModule:
    where, part = group.place, group.part
    if _is_plain(group.slots):
        raise AdapterError("weights trained whole beside the LoRA (modules_to_save or bias) are not supported yet")
    scaling = part.config(where.component).scaling(dotted(where.stem))
    return build_module((where.component, where.path, where.stem), group.slots, part.source, read, scaling)


def _without_duplicates(modules: Iterable[AdapterModule]) -> tuple[list[AdapterModule], list[tuple[str, str]]]:
    """Return the first spelling of every module, and the pairs of first and later ones."""
    kept: dict[str, AdapterModule] = {}
    twice: list[tuple[str, str]] = []
    for module in modules:
        first = kept.setdefault(module.name, module)
        if first is not module:
            twice.append((first.stem, module.stem))
    return list(kept.values()), twice
