"""One run at a time in a folder."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError

NAME = ".lock"


@contextlib.contextmanager
def only_one(folder: Path, name: str = NAME) -> Iterator[None]:
    """Hold a file's name against other runs, of this process or another; raise UsageError where one holds it already.

    The lock is SQLite's: every system has it, and it ends with its process however that ends.
    """
    path = folder / name
    with contextlib.closing(_taken(path)):
        try:
            yield
        finally:
            with contextlib.suppress(PermissionError):  # Windows keeps open files: an empty one stays behind
                path.unlink(missing_ok=True)


def _taken(path: Path) -> sqlite3.Connection:
    lock = None
    try:
        lock = sqlite3.connect(path, timeout=0, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        return lock
    except sqlite3.Error as error:
        if lock is not None:
            lock.close()
        if "locked" not in str(error):
            raise UsageError(f"{path} cannot be locked ({error}); choose another output folder.") from error
        raise UsageError(
            f"Another run is doing the same in {path.parent}. Wait for it, or choose another output folder."
        ) from error
