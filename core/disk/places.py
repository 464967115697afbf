"""The user's own folders: asked for only when one is needed, for there may be no home. No torch."""

import os
import sys
from pathlib import Path

from ..errors import Setting, UsageError
from ..text import inert


def cache_home() -> Path:
    """Return the folder that caches lie in; raise UsageError where there is no home for it."""
    configured = _xdg("XDG_CACHE_HOME")
    if configured is not None:
        return configured
    try:
        return Path.home() / ".cache"
    except RuntimeError as error:
        raise UsageError(
            "There is no home folder to keep results in (HOME is not set, and the system does not know this user): "
            "name a folder for them, or set the variable OWF_CACHE or XDG_CACHE_HOME.",
            Setting("cache"),
        ) from error


def config_home() -> Path | None:
    """Return the folder that settings lie in; None where there is none, and so no settings."""
    if sys.platform == "win32" and os.environ.get("APPDATA"):
        return Path(os.environ["APPDATA"])
    configured = _xdg("XDG_CONFIG_HOME")
    if configured is not None:
        return configured
    return Path.home() / ".config" if has_home() else None


def has_home() -> bool:
    """Return whether the user has a home folder: HOME, or an entry in the system's list of users."""
    try:
        Path.home()
    except RuntimeError:
        return False
    return True


def expanded(path: str | Path, option: str = "") -> Path:
    """Return a path with a leading ~ as the home it stands for; raise UsageError where there is no such home, or path.

    Every path that a user gives passes here once: the shell leaves a ~ in quotes, behind = and in a file as it is. A
    name like ~x that is no user's is a name, as in the shell.
    """
    if "\0" in str(path):
        raise UsageError(f"{option} {inert(str(path))} holds a NUL character, which no path has.".lstrip())
    text = os.path.expanduser(path)  # noqa: PTH111 - Path's own raises for such names
    if text == str(path) and text[:1] == "~" and text[1:2] in ("", "/", os.sep):
        raise UsageError(f"{option} {path}: there is no home folder that ~ stands for; give the whole path.".lstrip())
    return Path(text)


def _xdg(variable: str) -> Path | None:
    """Return the folder that an XDG variable names: the specification has empty and relative ones ignored."""
    value = os.environ.get(variable, "")
    return Path(value) if Path(value).is_absolute() else None
