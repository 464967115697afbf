"""From a path to an `Adapter`: header first, every check before any tensor is read."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import AdapterError
from ..text import inert
from . import metadata as meta
from .adapter import Adapter
from .hashes import hash_file
from .identify import format_of, identify
from .module import ALPHA_EXTREME, AdapterModule, BrokenModule, build_module
from .names import Place, place
from .refusals import refuse_other_kinds
from .source import Entry, Source
from .sources import Part, open_parts

MAX_LISTED = 50


@dataclass(frozen=True)
class _Group:
    """The tensors that one spelling of one module collects."""

    place: Place
    slots: Mapping[str, Entry]
    part: Part


@dataclass(frozen=True)
class _Contents:
    """What was found in all parts of a file."""

    modules: tuple[AdapterModule, ...]
    broken: tuple[BrokenModule, ...]
    ignored: tuple[str, ...]
    dialects: tuple[str, ...]
    warnings: tuple[str, ...]


def read_adapter(path: str | Path, *, allow_pickle: bool = False) -> Adapter:
    """Return what a LoRA file or PEFT folder holds; no tensor is read and no base is needed.

    Pickled files (`.pt`, `.ckpt`, `.bin`) can run code, so they are refused unless `allow_pickle` says
    otherwise; then only plain tensors are taken out of them.

    Raises AdapterError for files that are damaged, hostile, not a LoRA, or of which no module is usable.
    """
    path = Path(path)
    parts = open_parts(path, allow_pickle=allow_pickle)
    names = [name for part in parts for name in part.source.entries]
    contents = _collect(parts, names)
    if not contents.modules:
        raise AdapterError(_nothing_usable(contents))
    return _describe(path, parts, contents, len(names))


def _collect(parts: Sequence[Part], names: Sequence[str]) -> _Contents:
    groups: list[_Group] = []
    ignored: list[str] = []
    for part in parts:
        found, strangers = _group(part)
        groups += found
        ignored += strangers
    refuse_other_kinds(names, sum(len(group.slots) for group in groups))
    modules, broken = _build(groups)
    modules, twice = _without_duplicates(modules)
    dialects = tuple(group.place.dialect for group in groups)
    warnings = [*twice, *_bundled(ignored), *(note for part in parts for note in part.warnings)]
    return _Contents(tuple(modules), tuple(broken), tuple(ignored), dialects, tuple(warnings))


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
    plain = {key for key, (_, slots) in groups.items() if set(slots) == {"weight"}}
    ignored += [inert(entry.name, 120) for key in plain for entry in groups[key][1].values()]
    return [_Group(*groups[key], part) for key in groups if key not in plain], ignored


def _build(groups: Iterable[_Group]) -> tuple[list[AdapterModule], list[BrokenModule]]:
    modules: list[AdapterModule] = []
    broken: list[BrokenModule] = []
    for group in groups:
        where, config = group.place, group.part.config(group.place.component)
        try:
            scaling = config.scaling(where.path)
            spot = (where.component, where.path, where.stem)
            modules.append(build_module(spot, group.slots, group.part.source, scaling))
        except AdapterError as error:
            broken.append(BrokenModule(where.stem, str(error), len(group.slots)))
    return modules, broken


def _without_duplicates(modules: Iterable[AdapterModule]) -> tuple[list[AdapterModule], list[str]]:
    """Keep the first of several spellings of one module, and say so."""
    kept: dict[str, AdapterModule] = {}
    warnings: list[str] = []
    for module in modules:
        first = kept.setdefault(module.name, module)
        if first is not module:
            spellings = f"{inert(first.stem, 80)} and {inert(module.stem, 80)}"
            warnings.append(f"module named twice, the second is not applied: {spellings}")
    return list(kept.values()), warnings


def _bundled(ignored: Sequence[str]) -> list[str]:
    embeddings = sum(name.startswith("bundle_emb.") for name in ignored)
    rest = len(ignored) - embeddings
    notes = [f"{embeddings} bundled embedding tensors are not applied"] if embeddings else []
    return notes + ([f"{rest} tensors belong to no known module, such as {ignored[-1]}"] if rest else [])


def _nothing_usable(contents: _Contents) -> str:
    reasons = Counter(module.reason for module in contents.broken).most_common(3)
    listed = "; ".join(f"{inert(reason)} ({count} modules)" for reason, count in reasons)
    return f"no module of the file is usable: {listed or 'it holds no LoRA weights'}"


def _describe(path: Path, parts: Sequence[Part], contents: _Contents, n_keys: int) -> Adapter:
    source: Source = parts[0].source
    stated = meta.training(source.metadata)
    identity = identify(contents.modules, stated, source.metadata)
    name, mixed = format_of(contents.dialects)
    hashes = hash_file(source.path, getattr(source, "data_start", None))
    modules = contents.modules
    methods = Counter(module.method for module in modules)
    warnings = (*_complaints(contents), *mixed, *identity.warnings, *_hash_lie(source, hashes.weights))
    return Adapter(
        path=path,
        hashes=hashes,
        format=name,
        algorithms=tuple(method for method, _ in methods.most_common()),
        family=identity.family,
        modules=modules,
        broken=contents.broken,
        ignored=contents.ignored,
        n_keys=n_keys,
        ranks=tuple(sorted({module.outline.rank for module in modules if module.outline.rank})),
        alphas=tuple(sorted({module.alpha for module in modules if module.alpha is not None})),
        dtypes=tuple(sorted({entry.dtype for module in modules for entry in module.slots.values() if entry.is_float})),
        trigger_words=meta.trigger_words(source.metadata),
        resolution=meta.resolution(source.metadata),
        prediction_type=meta.prediction_type(source.metadata),
        training=stated,
        warnings=warnings,
    )


def _complaints(contents: _Contents) -> list[str]:
    broken = contents.broken
    notes = (
        [f"{len(broken)} broken modules, such as {inert(broken[0].stem, 80)}: {inert(broken[0].reason)}"]
        if broken
        else []
    )
    return notes + _rank_notes(contents.modules) + _alpha_notes(contents.modules) + list(contents.warnings)


def _rank_notes(modules: Sequence[AdapterModule]) -> list[str]:
    over = [module for module in modules if module.outline.rank and module.outline.rank > _full_rank(module)]
    if not over:
        return []
    worst = over[0]
    return [f"rank {worst.outline.rank} exceeds the full rank {_full_rank(worst)} of {inert(worst.stem, 80)}"]


def _full_rank(module: AdapterModule) -> int:
    """Return the rank that the layer itself can have; unknown sides do not limit it."""
    sides = [side for side in (module.outline.out, module.outline.fan_in) if side is not None]
    low_rank = module.algorithm.name in ("lora", "loha", "glora")
    return min(sides) if low_rank and len(sides) == 2 else 2**62


def _alpha_notes(modules: Sequence[AdapterModule]) -> list[str]:
    scaled = [module for module in modules if module.algorithm.alpha_scales and module.outline.rank]
    zero = sum(module.alpha == 0 for module in scaled)
    negative = sum(module.scale < 0 for module in scaled)
    huge = sum(abs(module.scale) > ALPHA_EXTREME for module in scaled)
    unstated = sum(module.alpha is None and "peft" in _dialect(module) for module in scaled)
    notes = [
        (zero, "have alpha 0: read as alpha = rank, as trainers mean it; some programs multiply by 0"),
        (negative, "have a negative alpha: they subtract what was trained"),
        (huge, f"have an alpha beyond {ALPHA_EXTREME:g} times the rank"),
        (
            unstated,
            "have no alpha in tensors or metadata: read as alpha = rank, which need not be so",
        ),
    ]
    return [f"{count} modules {text}" for count, text in notes if count]


def _dialect(module: AdapterModule) -> str:
    return "peft" if module.slots.get("down", _NOWHERE).name.endswith("lora_A.weight") else ""


_NOWHERE = Entry("", "F32", (), 0, 0)


def _hash_lie(source: Source, weights: str | None) -> list[str]:
    claimed = source.metadata.get("sshs_model_hash")
    if not claimed or weights is None or claimed.lower() == weights:
        return []
    return ["sshs_model_hash is not the hash of these weights: the file was changed after training"]
