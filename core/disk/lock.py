"""One run at a time in a folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from filelock import BaseFileLock

NAME = ".lock"
_PATIENCE = 600.0
"""Seconds that a short piece of another process's work is waited for: reading some gigabytes to see they are whole."""


@contextlib.contextmanager
def only_one(folder: Path, name: str = NAME) -> Iterator[None]:
    """Hold a file's name against other runs, of this process or another; raise UsageError where one holds it already.

    The lock is the system's, on an open file: it ends with its process however that ends.
    """
    path = folder / name
    taken = f"Another run is doing the same in {folder}. Wait for it, or choose another output folder."
    lock = _acquired(path, 0, taken, "output folder")
    try:
        yield
    finally:
        # Before the release, so that it is never another run's; filelock sees that a file it opened is gone. Windows
        # deletes no open file: an empty one may stay.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def waited_for(folder: Path, name: str) -> Iterator[None]:
    """Hold a file's name against other processes; wait while one holds it, and raise UsageError where it does not end.

    The file stays: others may wait for it.
    """
    path = folder / name
    lock = _acquired(path, _PATIENCE, f"{path} has been held by another process for {_PATIENCE:g} s.", "cache folder")
    try:
        yield
    finally:
        lock.release()


def _acquired(path: Path, seconds: float, taken: str, kind: str) -> "BaseFileLock":
    """Return the lock on a file, held. `taken` is said where another has it all that time; `kind` is what to change."""
    from filelock import FileLock, Timeout

    # Where the file system knows no locks, filelock would take the file's presence for one, and not be alone with it.
    lock = FileLock(path, timeout=seconds, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(taken) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be locked ({error.strerror}); choose another {kind}.") from error
    return lock
