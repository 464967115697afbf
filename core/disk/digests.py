"""Digests of large files, remembered: a checkpoint of seven gigabytes is read once and not at every audit. No torch."""

import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path

from ..progress import SILENT, Progress
from .download import file_sha256
from .files import open_regular, write_text

LEGACY_START, LEGACY_LENGTH = 0x100000, 0x10000
"""Bytes that the hash covers by which older programs know checkpoints."""
_YOUNG_NS = 2_000_000_000
"""A file changed so shortly ago may change again without its time telling: FAT counts two seconds."""


class Digests:
    """SHA-256 of files, kept below a cache folder by path, size and times of the last change."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "digests"

    def sha256(self, path: Path, progress: Progress = SILENT) -> str:
        """Return the SHA-256 of a file; `progress` hears of the bytes where it has to be read.

        Raises OSError where the file cannot be read. A cache that cannot be read or written is done without.
        """
        place, before, started = self._place(path), mark(path), time.time_ns()
        known = _remembered(place, before)
        if known is not None:
            return known
        found = file_sha256(path, progress)
        # Unchanged while it was read, and not so young that a change in the same tick would go unseen.
        if mark(path) == before and path.stat().st_mtime_ns < started - _YOUNG_NS:
            with contextlib.suppress(OSError):
                place.parent.mkdir(parents=True, exist_ok=True)
                write_text(place, json.dumps({"mark": before, "sha256": found}))
        return found

    def _place(self, path: Path) -> Path:
        name = os.fsencode(os.path.realpath(path))
        return self._folder / f"{hashlib.sha256(name).hexdigest()[:32]}.json"


def legacy_hash(path: Path) -> str:
    """Return the eight digits by which older programs know a checkpoint: of 64 kB of it, so they prove no sameness."""
    with open_regular(path) as file:
        file.seek(LEGACY_START)
        return hashlib.sha256(file.read(LEGACY_LENGTH)).hexdigest()[:8]


def mark(path: Path) -> str:
    """Return what a file's digest is remembered by: its path, size, and times of the last change.

    Programs that unpack or copy set the time of the content as they like, some the same for all files; that of the
    entry is the system's own, and changes with whatever takes a file's place. Raises OSError.
    """
    state = path.stat()
    times = f"{state.st_mtime_ns}|{state.st_ctime_ns}"
    return f"{os.fsencode(os.path.realpath(path)).hex()}|{state.st_size}|{times}"


def _remembered(place: Path, wanted: str) -> str | None:
    """Return the digest that was kept with this mark; None where there is none, or what was kept is damaged."""
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(kept, dict) or kept.get("mark") != wanted:
        return None
    found = kept.get("sha256")
    return found if isinstance(found, str) and re.fullmatch("[0-9a-f]{64}", found) else None
