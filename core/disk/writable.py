"""Whether a folder can be written, found out before the hours of work whose results are to lie there."""

import errno
import os
import stat
import tempfile
from pathlib import Path

from ..errors import Setting, UsageError
from ..text import inert

_LEAST = 2**16
"""Bytes that are written on trial: the smallest report has more."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM)


def require_writable(folder: Path, setting: Setting) -> None:
    """Raise UsageError, which names what to change, unless files can be written in a folder.

    Nothing stays there, and one that is not there yet is not made: what counts is the folder above that is.
    """
    place = _what_is_there(folder, setting)
    try:
        with tempfile.TemporaryDirectory(prefix=".owf-", dir=place) as trial:
            (Path(trial) / "trial").write_bytes(bytes(_LEAST))
    except OSError as error:
        where = "" if place == folder else f" in {_shown(place)}"
        raise _refusal(folder, f"{error.strerror}{where}", setting, error.errno) from error


def _what_is_there(folder: Path, setting: Setting) -> Path:
    """Return the folder, or the nearest one above it that is there; raise UsageError where something else is."""
    for place in (folder, *folder.absolute().parents):
        try:
            mode = place.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if place.is_symlink():
                raise _refusal(folder, f"{_shown(place)} is a link that leads nowhere", setting) from None
            continue
        except (OSError, ValueError) as error:  # Path raises ValueError for a NUL character
            raise _refusal(folder, getattr(error, "strerror", None) or str(error), setting) from error
        if not stat.S_ISDIR(mode):
            raise _refusal(folder, f"{_shown(place)} is no folder", setting)
        return place
    raise _refusal(folder, os.strerror(errno.ENOENT), setting)  # such as a drive that is not there


def _refusal(folder: Path, cause: str, setting: Setting, number: int | None = None) -> UsageError:
    advice = "Choose another folder"
    if number in _FULL:
        advice = "Free some space there, or choose another folder"
    elif number in _FORBIDDEN:
        advice = "Change its permissions, or choose another folder"
    return UsageError(f"Nothing can be written to {_shown(folder)}: {cause}. {advice}.", setting)


def _shown(path: Path) -> str:
    return inert(str(path), 300)
