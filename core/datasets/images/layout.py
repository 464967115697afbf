"""What published sets have in common on disk: a folder inside the user's, and lists that name pictures."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...disk.files import is_folder, read_regular
from ...errors import Setting, UsageError, naming
from ...foreign import Advice, foreign
from ...pictures import cover, open_picture
from ...text import inert
from .labelled import LabelledImages
from .subset import Choose

if TYPE_CHECKING:
    from PIL import Image

IMAGES = Setting("images")
_MOST = 1 << 24
"""Bytes of a list that are believed: the longest, Food-101's test.json, has half a megabyte."""


@dataclass(frozen=True)
class Listed:
    """One picture that a set's lists name."""

    path: Path
    """Where it lies."""
    name: str
    """What a subset is drawn by: as the list says it, whatever folder the set lies in."""
    label: int
    """Its class."""


def place(folder: Path, inner: Sequence[str], needed: Sequence[str]) -> Path | None:
    """Return the folder, or the first `inner` one in it, that holds the files and folders needed; None for neither."""
    places = (folder, *(folder / name for name in inner))
    return next((p for p in places if all(_is_there(p / name) for name in needed)), None)


def _is_there(path: Path) -> bool:
    """Return whether this is a file or folder, and no pipe; False where that cannot be found out, as above a home."""
    return os.path.isfile(path) or is_folder(path)  # noqa: PTH113 - Path.is_file raises where it may not look


def require_place(found: Path | None, folder: Path, layout: str) -> Path:
    """Return the place that was found; raise UsageError where there is none."""
    if found is None:
        raise UsageError(f"{folder} does not hold {layout}.", IMAGES)
    return found


def content(path: Path, most: int = _MOST) -> bytes:
    """Return what one of a set's lists holds; raise UsageError where it cannot be read or is longer than any is."""
    with foreign(f"{path} cannot be read", Advice(settings=(IMAGES,))):
        return read_regular(path, most)


def lines(path: Path) -> list[str]:
    """Return the lines of a list that are not empty; raise UsageError where it is no UTF-8 text."""
    raw = content(path)
    with foreign(f"{path} cannot be read as text", Advice(settings=(IMAGES,))):
        text = raw.decode()
    return [line.strip() for line in text.splitlines() if line.strip()]


def part(name: str, path: Path) -> str:
    """Return a name that one of the lists gives, which must be that of one file or folder.

    Raises UsageError for a way out of the set's folder, or anything else that is no plain name: lists may be anybody's.
    """
    if name in ("", ".", "..") or any(char in name for char in "/\\:\0"):
        raise UsageError(f"{path} names {inert(name, 80)!r}, which is no name of a file of the set.", IMAGES)
    return name


def wrong(path: Path, what: str) -> UsageError:
    """Return the error for a list whose content cannot be a set's."""
    return UsageError(f"{path}: {what}: the file is not whole, or not of this set.", IMAGES)


def read_listed(
    listed: Sequence[Listed],
    classes: Sequence[str],
    side: int,
    choose: Choose,
    trim: "Callable[[Image.Image], Image.Image]" = lambda picture: picture,
) -> LabelledImages:
    """Return the chosen pictures of each class at side x side pixels; `trim` cuts off what belongs to none.

    Only what is chosen is opened. Raises UsageError for a class without a picture and for one that cannot be read.
    """
    images, labels = [], []
    for label, name in enumerate(classes):
        members = [one for one in listed if one.label == label]
        if not members:
            raise UsageError(f"The lists name no picture of the class {inert(name, 80)!r}.", IMAGES)
        for position in choose([one.name for one in members]):
            with naming(IMAGES):
                images.append(cover(trim(open_picture(members[position].path)), side, side))
            labels.append(label)
    return LabelledImages(np.stack(images), np.array(labels), tuple(classes))
