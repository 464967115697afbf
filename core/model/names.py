"""What a base is called, by its place and by its own metadata. No torch."""

import json
from collections.abc import Mapping
from pathlib import Path

from .. import families
from ..disk.files import read_regular
from ..families import DRAWN_AS, Decided, decide
from ..foreign import foreign
from .backends.variant import settings_of
from .base import BaseChoice, original_transformer
from .index import PLAIN, index_file

_SAID = ("modelspec.title", "modelspec.merged_from", "modelspec.tags", "sd_merge_recipe", "sd_merge_models")
"""Metadata in which a checkpoint, or the models that it was merged from, are named; the surest first."""


_LARGEST = 2**20
"""Bytes of a folder's index which are read; one of a real model has a thousand."""


def base_names(choice: BaseChoice) -> tuple[str, ...]:
    """Return the names of a base, the surest first, and behind them which of its family's bases it is if that was seen.

    Raises UsageError for a file that is no safetensors file.
    """
    found = decided(choice)
    return (*_own_names(choice), *([] if found is None else [f"{DRAWN_AS}{found.drawing.title}"]))


def contradiction(choice: BaseChoice) -> str:
    """Return the sentence that says that a base's name and its settings disagree; empty where they do not."""
    found = decided(choice)
    return "" if found is None else found.doubt


def decided(choice: BaseChoice) -> Decided | None:
    """Return which of its family's bases one is; None where nothing on this machine tells."""
    root = _settings_of(choice)
    if root is None or not index_file(root).is_file():
        return None
    with foreign(f"{index_file(root)} cannot be read"):
        index = json.loads(read_regular(index_file(root), _LARGEST))
    named = index.get("_class_name") if isinstance(index, dict) else None
    family = next((f for f in families.audited() if f.pipeline is not None and f.pipeline.name == named), None)
    if family is None or family.pipeline is None:
        return None
    settings = settings_of(root, index, family.pipeline.denoiser)
    return decide(family.drawings, family.drawing_named(_own_names(choice)), settings, choice.kind != "file")


def _settings_of(choice: BaseChoice) -> Path | None:
    """Return the folder of a base's settings; None where there is none."""
    if choice.kind == "hub":
        return _cached(choice.path)
    if choice.kind == "folder":
        return Path(choice.path)
    alone = original_transformer(Path(choice.path))
    return None if alone is None else alone.root


def _own_names(choice: BaseChoice) -> tuple[str, ...]:
    if choice.kind == "hub":
        return (choice.path,)
    path = Path(choice.path)
    return (path.name, *_metadata_names(path)) if choice.kind == "file" else (path.name, _parent(path))


def _cached(repository: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    with foreign(f"{repository} cannot be looked up in the hub's cache"):
        found = try_to_load_from_cache(repository, PLAIN)
    return Path(found).parent if isinstance(found, str) else None


def _metadata_names(path: Path) -> list[str]:
    from safetensors import safe_open

    with foreign(f"{path} cannot be read"), safe_open(str(path), framework="numpy") as file:
        said: Mapping[str, str] = file.metadata() or {}
    return [said[key] for key in _SAID if said.get(key)]


def _parent(folder: Path) -> str:
    """Return the repository that a folder of the hub's cache belongs to; else nothing, as folders above say little."""
    above = folder.resolve().parent.parent.name
    return above.removeprefix("models--") if above.startswith("models--") else ""
