"""The user's settings: which base a family has, and where checkpoints lie. No torch."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .. import families
from ..disk.places import config_home, expanded
from ..disk.toml import read_toml
from ..errors import UsageError
from ..text import inert


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
    stranger = min(settings.keys() - {"bases", "folders"}, default=None)
    if stranger is not None:
        raise UsageError(f"{path}: there is no setting {inert(stranger, 80)!r}. It holds tables [bases] and [folders].")
    return path, settings


def _require_known(table: Mapping[str, object], known: Collection[str], problem: str, names: str) -> None:
    stranger = min(table.keys() - set(known), default=None)
    if stranger is not None:
        raise UsageError(f"{problem} {inert(stranger, 80)!r}. {names} {', '.join(sorted(known))}.")
