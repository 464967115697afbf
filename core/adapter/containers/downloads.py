"""Downloads that are not complete: told by what browsers and download managers put beside or behind a file's name."""

import os
from pathlib import Path

from ...text import inert

_UNFINISHED = (
    ".part",
    ".partial",
    ".crdownload",
    ".download",
    ".incomplete",
    ".opdownload",
    ".tmp",
    ".aria2",
    ".!qB",
    ".!ut",
    ".!bt",
)
"""Endings, as programs write them, behind the name of a file until it is complete."""


def is_unfinished(path: Path) -> bool:
    """Return whether this is what there is of a download, or the note beside it, by its name."""
    return path.name.lower().endswith(tuple(map(str.lower, _UNFINISHED)))


def note_beside(file: Path) -> str:
    """Return that the file is what there is of a download, where something beside it says so; "" otherwise.

    aria2 keeps its notes in `name.aria2` and fills the gaps with zeros meanwhile; others leave an empty file behind.
    """
    note = next((ending for ending in _UNFINISHED if os.path.lexists(f"{file}{ending}")), None)
    return "" if note is None else f"{inert(file.name, 80)}{note} lies beside it, as if the download were not finished"
