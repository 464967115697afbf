"""What a base is called, by its place and by its own metadata. No torch."""

import json
from collections.abc import Mapping
from pathlib import Path

from ..disk.files import read_regular
from ..families import DISTILLED, NOT_DISTILLED
from ..foreign import foreign
from .base import BaseChoice
from .index import PLAIN

_SAID = ("modelspec.title", "modelspec.merged_from", "modelspec.tags", "sd_merge_recipe", "sd_merge_models")
"""Metadata in which a checkpoint, or the models that it was merged from, are named; the surest first."""


_LARGEST = 2**20
"""Bytes of a folder's index which are read; one of a real model has a thousand."""


def base_names(choice: BaseChoice) -> tuple[str, ...]:
    """Return the names of a base, the surest first; raise UsageError for a file that is no safetensors file."""
    if choice.kind == "hub":
        return (choice.path, *_settings_names(_cached(choice.path)))
    path = Path(choice.path)
    if choice.kind == "file":
        return (path.name, *_metadata_names(path))
    return (path.name, _parent(path), *_settings_names(path))


def _cached(repository: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    with foreign(f"{repository} cannot be looked up in the hub's cache"):
        found = try_to_load_from_cache(repository, PLAIN)
    return Path(found).parent if isinstance(found, str) else None


def _settings_names(folder: Path | None) -> list[str]:
    """Return what the settings of a diffusers folder call their base, where they say whether it was distilled."""
    if folder is None or not (folder / PLAIN).is_file():
        return []
    with foreign(f"{folder / PLAIN} cannot be read"):
        said = json.loads(read_regular(folder / PLAIN, _LARGEST))
    distilled = said.get("is_distilled") if isinstance(said, dict) else None
    return [DISTILLED if distilled else NOT_DISTILLED] if isinstance(distilled, bool) else []


def _metadata_names(path: Path) -> list[str]:
    from safetensors import safe_open

    with foreign(f"{path} cannot be read"), safe_open(str(path), framework="numpy") as file:
        said: Mapping[str, str] = file.metadata() or {}
    return [said[key] for key in _SAID if said.get(key)]


def _parent(folder: Path) -> str:
    """Return the repository that a folder of the hub's cache belongs to; else nothing, as folders above say little."""
    above = folder.resolve().parent.parent.name
    return above.removeprefix("models--") if above.startswith("models--") else ""
