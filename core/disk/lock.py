"""One run at a time in a folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError

NAME = ".lock"


@contextlib.contextmanager
def only_one(folder: Path, name: str = NAME) -> Iterator[None]:
    """Hold a file's name against other runs, of this process or another; raise UsageError where one holds it already.

    The lock is the system's, on an open file: it ends with its process however that ends.
    """
    from filelock import FileLock, Timeout

    path = folder / name
    # Where the file system knows no locks, filelock would take the file's presence for one, and not be alone with it.
    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(
            f"Another run is doing the same in {folder}. Wait for it, or choose another output folder."
        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be locked ({error.strerror}); choose another output folder.") from error
    try:
        yield
    finally:
        # Before the release, so that it is never another run's; filelock sees that a file it opened is gone. Windows
        # deletes no open file: an empty one may stay.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        lock.release()
