"""The stores of a cache: opened whole, the least recently used given up when there are too many. No torch."""

import contextlib
import os
import sqlite3
from pathlib import Path

from .lock import waited_for
from .store import SampleStore, remove_store, store_files, whole_store

_LOCK = ".stores.lock"
"""Held while a store is opened or given up, so that none is given up between."""
_KINDS = ("base-*.sqlite", "drawings-*.sqlite", "encoded-*.sqlite")
"""What base results, and drawings and encodings for trainings, are called; nothing else of a cache is large."""


def open_cached(path: Path) -> SampleStore:
    """Return a store of a cache, which counts as used now; what is damaged in it is dropped, see `whole_store`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with waited_for(path.parent, _LOCK):
        store = whole_store(path)
        with contextlib.suppress(OSError):  # its time is all that is lost
            os.utime(path)
    return store


def stores(cache: Path) -> list[Path]:
    """Return the stores of a cache, the most recently used first."""
    found = [path for kind in _KINDS for path in cache.glob(kind)]
    return sorted(found, key=lambda path: -_used(path))


def size(path: Path) -> int:
    """Return the bytes that a store takes."""
    return sum(_size(file) for file in store_files(path))


def give_up(cache: Path, limit: int) -> list[Path]:
    """Remove the least recently used stores until the others take at most `limit` bytes; return those removed.

    One that a process has open stays, and so does the one used last: it would be made again at once.
    """
    found = stores(cache)
    left = sum(map(size, found))
    gone: list[Path] = []
    for path in reversed(found[1:]):
        if left <= limit:
            break
        taken = size(path)
        with waited_for(cache, _LOCK):
            if _is_free(path):
                remove_store(path)
                gone.append(path)
                left -= taken
    return gone


def _is_free(path: Path) -> bool:
    """Return whether no process has a store open: SQLite leaves its log only where nobody else reads it."""
    try:
        # Opened to write, but never made: another process may have removed it.
        address = f"{path.resolve().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(address, timeout=0, isolation_level=None, uri=True)) as db:
            return db.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:  # nothing that could be used
        return True


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process gave it up
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
