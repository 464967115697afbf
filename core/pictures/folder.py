"""The pictures in a folder of the user's, and what else is there."""

from pathlib import Path

from ..disk.files import LeftOut, each_once, is_folder, listing, why_no_file
from .picture import SUFFIXES


def pictures_in(folder: Path, inside: str = "a folder inside") -> tuple[tuple[Path, ...], list[LeftOut]]:
    """Return the pictures of a folder, sorted by name and each once, and all else in it; `inside` is said of folders.

    Raises UsageError for a folder that is missing or cannot be read.
    """
    reasons = {path: _why_left_out(path, inside) for path in listing(folder)}
    pictures, again = each_once(path for path, reason in reasons.items() if reason is None)
    return tuple(pictures), again + [LeftOut(path, reason) for path, reason in reasons.items() if reason is not None]


def _why_left_out(path: Path, inside: str) -> str | None:
    if is_folder(path):
        return inside
    if path.suffix.lower() not in SUFFIXES:
        return f"no picture in a format that is read ({', '.join(sorted(SUFFIXES))})"
    return why_no_file(path)
