"""The user's settings: which base a family has, what lies in files of its own, where checkpoints lie. No torch."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .. import families
from ..disk.places import config_home, expanded
from ..disk.toml import read_toml
from ..errors import UsageError
from ..text import inert

_TABLES = ("bases", "folders", "parts")


def config_file() -> Path | None:
    """Return the path of the user's settings: $OWF_CONFIG, or config.toml in the user's configuration folder.

    None where the user has no such folder, and so no settings.
    """
    if os.environ.get("OWF_CONFIG"):
        return expanded(os.environ["OWF_CONFIG"], "OWF_CONFIG")
    home = config_home()
    return None if home is None else home / "owf" / "config.toml"


def configured_bases() -> dict[str, str]:
    """Return family -> base of the user's settings; raise UsageError for settings that would be passed over."""
    path, settings = _settings()
    bases = settings.get("bases", {})
    if not isinstance(bases, dict) or not all(isinstance(v, str) for v in bases.values()):
        raise UsageError(f'{path}: [bases] must map family names to paths or hub ids, e.g. sd15 = "model.safetensors".')
    known = {family.name for family in families.all_families() if family.hub_id is not None}
    _require_known(bases, known, f"{path}, [bases]: there is no family", "There are")
    return bases


def configured_parts() -> dict[str, dict[str, Path]]:
    """Return family -> part -> file of the user's settings; raise UsageError as `configured_bases` does.

    Parts are called as in a diffusers folder. They are those of bases whose transformer alone lies in a file.
    """
    path, settings = _settings()
    tables = settings.get("parts", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(f'{path}: [parts.FAMILY] is a table, e.g. [parts.z_image] with vae = "ae.safetensors".')
    known = {f.name: f.pipeline for f in families.all_families() if f.pipeline is not None and f.pipeline.layers}
    _require_known(tables, known, f"{path}: there is no table of parts of", "There are those of")
    for family, table in tables.items():
        parts = [part.name for part in known[family].weighted[1:]]
        _require_known(table, parts, f"{path}, [parts.{family}]: there is no part", "There are")
        if not all(isinstance(file, str) and file for file in table.values()):
            raise UsageError(f"{path}, [parts.{family}]: each part is the path of a file.")
    return {
        family: {part: expanded(file, f"{path}, {part}:") for part, file in table.items()}
        for family, table in tables.items()
    }


def checkpoint_folders() -> tuple[Path, ...]:
    """Return the folders of checkpoints in the user's settings; raise UsageError as `configured_bases` does."""
    path, settings = _settings()
    folders = settings.get("folders", {})
    if not isinstance(folders, dict):
        raise UsageError(f"{path}: [folders] must be a table.")
    _require_known(folders, {"checkpoints"}, f"{path}, [folders]: there is no setting", "There is only")
    listed = folders.get("checkpoints", [])
    if not isinstance(listed, list) or not all(isinstance(folder, str) and folder for folder in listed):
        raise UsageError(f'{path}, [folders]: checkpoints must be a list of folders, e.g. ["/models/checkpoints"].')
    return tuple(expanded(folder, f"{path}, checkpoints:") for folder in listed)


def _settings() -> tuple[Path | None, dict[str, Any]]:
    """Return the settings' file and what is in it; nothing where the user has none."""
    path = config_file()
    if path is None or not (os.path.lexists(path) or os.environ.get("OWF_CONFIG")):
        return path, {}
    if not path.exists() and os.environ.get("OWF_CONFIG"):
        raise UsageError(f"The variable OWF_CONFIG names {path}, and there is no such file.")
    settings = read_toml(path)
    stranger = min(settings.keys() - set(_TABLES), default=None)
    if stranger is not None:
        tables = " and ".join(f"[{table}]" for table in _TABLES)
        raise UsageError(f"{path}: there is no setting {inert(stranger, 80)!r}. It holds tables {tables}.")
    return path, settings


def _require_known(table: Mapping[str, object], known: Collection[str], problem: str, names: str) -> None:
    stranger = min(table.keys() - set(known), default=None)
    if stranger is not None:
        raise UsageError(f"{problem} {inert(stranger, 80)!r}. {names} {', '.join(sorted(known))}.")
