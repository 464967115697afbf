"""The user's training pictures on disk: files, captions, repeats. No torch."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..pictures import SUFFIXES
from .captions import Concept, tidy

_REPEATS = re.compile(r"(\d{1,4})_(.+)")
MAX_CAPTION = 10_000
"""Characters of a caption file that are read: text encoders see 77 tokens."""


@dataclass(frozen=True)
class TrainingImage:
    """One picture to learn from."""

    path: Path
    """The file."""
    caption: str
    """What it shows, with the concept's name."""
    repeats: int
    """How often it is seen in one epoch."""


def read_images(folder: Path, concept: Concept, template: str) -> tuple[TrainingImage, ...]:
    """Return the pictures of a folder, and of its kohya-named subfolders such as `10_sks dog`, sorted by path.

    A `.txt` file beside a picture is its caption; else the name of a kohya folder is; else the template with the
    concept. A folder repeated 0 times is left out. The folder itself counts as kohya-named where its name has trigger
    or class in it: `2024_holiday` is not 2024 repeats. Raises UsageError where there is no picture.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of training pictures.")
    named = [(p, int(m[1]), m[2]) for p in sorted(folder.iterdir()) if p.is_dir() and (m := _REPEATS.fullmatch(p.name))]
    if (m := _REPEATS.fullmatch(folder.resolve().name)) and concept.is_meant_by(m[2]):
        named.insert(0, (folder, int(m[1]), m[2]))
    else:
        named.insert(0, (folder, 1, ""))
    images = [
        TrainingImage(path, _caption(path, tidy(name) or concept.caption(template)), repeats)
        for place, repeats, name in named
        for path in _pictures(place)
        if repeats > 0
    ]
    if not images:
        raise UsageError(f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))}).")
    return tuple(images)


def _pictures(folder: Path) -> list[Path]:
    files = (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    return sorted(p for p in files if p.is_file())


def _caption(picture: Path, default: str) -> str:
    path = picture.with_suffix(".txt")
    if not path.is_file():
        return default
    with path.open("rb") as file:
        content = file.read(4 * MAX_CAPTION)
    encoding = "utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    text = content.decode(encoding, errors="replace")[:MAX_CAPTION]
    return tidy(text) or default


def left_out(folder: Path) -> list[str]:
    """Return the names of visible files and folders that `read_images` passes over, sorted."""
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith(".") and not _is_read(p))


def _is_read(path: Path) -> bool:
    if path.is_dir():
        return _REPEATS.fullmatch(path.name) is not None
    return path.suffix.lower() in {*SUFFIXES, ".txt", ".npz"}
