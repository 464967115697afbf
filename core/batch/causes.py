"""Whose an error is: the file's, this machine's just now, or that of every file that is still to come. No torch."""

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ..foreign import is_out_of_memory, seen
from ..ledger.row import FAILED, MEMORY
from .task import Outcome

_EVERYBODYS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)
"""What the system refuses every file that comes after: no space, a disk that is read only, too many open files."""
_NUMBERS = (errno.EINVAL, errno.EFBIG, errno.EOVERFLOW)
"""What it says to sizes and offsets that a hostile file claims: these are the file's."""


def beside_the_file(error: BaseException, path: Path, reason: str) -> Outcome | None:
    """Return how an audit of `path` ended by something else than what is in the file; None where the file is at fault.

    Whatever was raised on the way counts: readers say of every error that a file cannot be read, and the file that
    a disk did not give, or for which there was no memory, is no broken one.
    """
    found = list(_causes(error))
    lack = next((one for one in found if is_out_of_memory(one)), None)
    if lack is not None:
        return Outcome(MEMORY, f"There is not enough memory for it ({seen(lack)}).")
    systems = [one for one in found if isinstance(one, OSError) and one.errno not in (None, *_NUMBERS)]
    stores = [one for one in found if isinstance(one, sqlite3.OperationalError)]
    if not systems and not stores:
        return None
    fatal = any(_is_everybodys(one, path) for one in systems) or any(map(_is_full, stores))
    return Outcome(FAILED, reason, fatal=fatal)


def _causes(error: BaseException) -> Iterator[BaseException]:
    while True:
        yield error
        if error.__cause__ is None:
            return
        error = error.__cause__


def _is_everybodys(error: OSError, path: Path) -> bool:
    """Return whether every other file would end so: by what it is, or as it is about another place than this file."""
    if error.errno in _EVERYBODYS:
        return True
    places = [Path(str(place)) for place in (error.filename, error.filename2) if isinstance(place, (str, Path))]
    return bool(places) and not any(place == path or place.is_relative_to(path) for place in places)


def _is_full(error: sqlite3.OperationalError) -> bool:
    return any(word in str(error) for word in ("full", "readonly", "unable to open"))
