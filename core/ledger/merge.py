"""Ledgers put together: those of the parts of a divided run, or of several machines."""

import dataclasses
from pathlib import Path

from .ledger import Ledger
from .row import COMPLETE, FAILED, Row


def merge(target: Ledger, source: Ledger) -> int:
    """Add every row of one ledger to another, reports and all; return how many it had not, or knew less of.

    Where both have a row, the one that is measured counts, then one that ended, then the later. Called again, or after
    a kill, it comes to the same. Raises UsageError where either cannot be read or written.
    """
    known = {row.key: row for row in target.rows()}
    added = 0
    for row in source.rows():
        there = known.get(row.key)
        if there is not None and _weight(there) >= _weight(row):
            continue
        folder = str(source.path.absolute().parent / row.folder) if row.folder else ""
        moved = dataclasses.replace(row, folder=relative(Path(folder), target.path.parent) if folder else "")
        target.put(moved, source.report(row))
        added += 1
    return added


def _weight(row: Row) -> tuple[bool, bool, str]:
    return row.status == COMPLETE, row.status != FAILED, row.started


def relative(folder: Path, home: Path) -> str:
    """Return a report's folder as a ledger in `home` keeps it: relative where it lies below, so that both can move."""
    folder, home = folder.absolute(), home.absolute()
    return folder.relative_to(home).as_posix() if folder.is_relative_to(home) else str(folder)
