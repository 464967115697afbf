"""What a base is called, by its place and by its own metadata. No torch."""

from collections.abc import Mapping
from pathlib import Path

from ..foreign import foreign
from .base import BaseChoice

_SAID = ("modelspec.title", "modelspec.merged_from", "modelspec.tags", "sd_merge_recipe", "sd_merge_models")
"""Metadata in which a checkpoint, or the models that it was merged from, are named; the surest first."""


def base_names(choice: BaseChoice) -> tuple[str, ...]:
    """Return the names of a base, the surest first; raise UsageError for a file that is no safetensors file."""
    if choice.kind == "hub":
        return (choice.path,)
    path = Path(choice.path)
    return (path.name, *_metadata_names(path)) if choice.kind == "file" else (path.name, _parent(path))


def _metadata_names(path: Path) -> list[str]:
    from safetensors import safe_open

    with foreign(f"{path} cannot be read"), safe_open(str(path), framework="numpy") as file:
        said: Mapping[str, str] = file.metadata() or {}
    return [said[key] for key in _SAID if said.get(key)]


def _parent(folder: Path) -> str:
    """Return the repository that a folder of the hub's cache belongs to; else nothing, as folders above say little."""
    above = folder.resolve().parent.parent.name
    return above.removeprefix("models--") if above.startswith("models--") else ""
