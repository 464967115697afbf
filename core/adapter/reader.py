"""From a path to an `Adapter`: header first, every check before any tensor is read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import AdapterError
from ..text import counted, inert
from .adapter import Adapter
from .apply.complaints import about_training, complaints, hash_mismatch
from .containers.hashes import hash_all
from .contents import Contents, collect
from .naming.identify import Identity, format_of, identify
from .naming.stated import metadata as meta
from .naming.stated.accelerators import accelerator_notes
from .naming.stated.halves import half_notes
from .naming.stated.metadata import Training
from .naming.stated.training_adapters import training_adapter_notes
from .opening import Part, open_parts


def read_adapter(path: str | Path, *, allow_pickle: bool = False) -> Adapter:
    """Return what a LoRA file or PEFT folder holds; no tensor is read and no base is needed.

    Pickled files (`.pt`, `.ckpt`, `.bin`) can run code, so they are refused unless `allow_pickle` says
    otherwise; then only plain tensors are taken out of them.

    Raises AdapterError for files that are damaged, hostile, not a LoRA, or of which no module is usable.
    """
    path = Path(path)
    return _describe(path, *_opened(path, allow_pickle))


@dataclass(frozen=True)
class Glance:
    """What a LoRA file says of its base, at a cost of milliseconds whatever its size."""

    family: str | None
    """Name of the base family; None when shapes and metadata do not tell."""
    stated: Training
    """How it was trained, as far as the metadata says."""


def glance(path: str | Path, *, allow_pickle: bool = False) -> Glance:
    """Return what a LoRA file says of its base; only headers are read. Raises AdapterError as `read_adapter` does."""
    parts, contents = _opened(Path(path), allow_pickle)
    stated, identity = _identified(parts, contents)
    return Glance(identity.family, stated)


def _opened(path: Path, allow_pickle: bool) -> tuple[Sequence[Part], Contents]:
    parts = open_parts(path, allow_pickle=allow_pickle)
    contents = collect(parts)
    if not contents.modules:
        raise AdapterError(_nothing_usable(contents))
    return parts, contents


def _identified(parts: Sequence[Part], contents: Contents) -> tuple[Training, Identity]:
    metadata = parts[0].source.metadata
    stated = _with_base(meta.training(metadata), parts)
    return stated, identify(contents.modules, stated, metadata)


def _nothing_usable(contents: Contents) -> str:
    reasons = Counter(module.reason for module in contents.broken).most_common(3)
    listed = "; ".join(f"{inert(reason)} ({counted(count, 'module')})" for reason, count in reasons)
    return f"no module of the file is usable: {listed or 'it holds no LoRA weights'}"


def _describe(path: Path, parts: Sequence[Part], contents: Contents) -> Adapter:
    source, modules = parts[0].source, contents.modules
    stated, identity = _identified(parts, contents)
    name, mixed = format_of(contents.dialects)
    hashes = hash_all([file for part in parts for file in part.files], source.data_start)
    by_config = tuple(note for part in parts for note in part.warnings)
    doubts = (*about_training(stated), *hash_mismatch(source, hashes.weights))
    purpose = (
        *(tuple(training_adapter_notes(path, source.metadata)) or accelerator_notes(path, source.metadata, modules)),
        *half_notes(path, source.metadata, identity.family, stated.base_version),
    )
    return Adapter(
        path=path,
        hashes=hashes,
        format=name,
        algorithms=tuple(method for method, _ in Counter(module.method for module in modules).most_common()),
        family=identity.family,
        modules=modules,
        broken=contents.broken,
        twice=contents.twice,
        unknown=contents.unknown,
        bundled=contents.bundled,
        ranks=tuple(sorted({module.outline.rank for module in modules if module.outline.rank})),
        alphas=tuple(sorted({module.alpha for module in modules if module.alpha is not None})),
        dtypes=tuple(sorted({entry.dtype for module in modules for entry in module.slots.values() if entry.is_float})),
        trigger_words=meta.trigger_words(source.metadata),
        resolution=meta.resolution(source.metadata),
        prediction_type=meta.prediction_type(source.metadata),
        training=stated,
        warnings=(*purpose, *complaints(contents), *by_config, *mixed, *identity.warnings, *doubts),
    )


def _with_base(stated: Training, parts: Sequence[Part]) -> Training:
    """Return the stated training with the base that a PEFT configuration names, where the metadata name none."""
    named = (config.base_model for part in parts for config in part.configs.values())
    return stated if stated.base_model else replace(stated, base_model=next(filter(None, named), ""))
