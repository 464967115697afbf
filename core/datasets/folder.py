"""Labelled images from the user's disk: one subfolder per class."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..disk.files import LeftOut, composed, folded, is_folder, listing, why_no_file
from ..errors import Setting, UsageError
from ..pictures import SUFFIXES, cover, open_picture
from ..pictures.folder import pictures_in
from .dataset import Dataset
from .images.labelled import LabelledImages
from .images.subset import Choose

_IMAGES = Setting("images")


@dataclass(frozen=True)
class ClassFolders:
    """What a folder of labelled images holds."""

    classes: tuple[tuple[str, tuple[Path, ...]], ...]
    """Name and pictures of each class, sorted by name."""
    left_out: tuple[LeftOut, ...]
    """All else in the folder and in those of its classes."""


def read_folder(folder: Path, side: int, choose: Choose) -> LabelledImages:
    """Return the chosen images of each subfolder, in the order of their names, resized and cropped to side x side.

    Raises UsageError for what `survey` refuses and for an unreadable picture.
    """
    images, labels = [], []
    classes = survey(folder).classes
    for label, (_, pictures) in enumerate(classes):
        for position in choose([path.name for path in pictures]):
            images.append(cover(open_picture(pictures[position]), side, side))
            labels.append(label)
    return LabelledImages(np.stack(images), np.array(labels), tuple(name for name, _ in classes))


def survey(folder: Path) -> ClassFolders:
    """Return the classes in a folder and what in it is not used.

    Each subfolder, or link to one, is the class that its name says, with spaces for underscores. Raises UsageError for
    a missing or unreadable folder, fewer than two classes, two of one name, and a class without a picture.
    """
    if not is_folder(folder):
        raise UsageError(f"{folder}: no such folder.", _IMAGES)
    entries = listing(folder)
    left_out = [LeftOut(path, _beside(path)) for path in entries if not is_folder(path)]
    classes: dict[str, tuple[str, tuple[Path, ...]]] = {}
    for place in filter(is_folder, entries):
        name = composed(place.name).replace("_", " ")
        pictures, others = _pictures(place)
        if classes.setdefault(_spoken(name), (name, pictures))[1] is not pictures:
            raise UsageError(f"{folder}: two folders are the class {name!r}; put their pictures into one.", _IMAGES)
        left_out += others
    if len(classes) < 2:
        raise UsageError(f"{folder}: needs one subfolder per class, and at least two classes.", _IMAGES)
    return ClassFolders(tuple(classes.values()), tuple(left_out))


def _spoken(name: str) -> str:
    """Return what is the same for names that a prompt does not tell apart."""
    return " ".join(folded(name).split())


def _beside(path: Path) -> str:
    return why_no_file(path) or "in no folder of a class"


def _pictures(place: Path) -> tuple[tuple[Path, ...], list[LeftOut]]:
    """Return the pictures of a class and what else is in its folder."""
    pictures, others = pictures_in(place, "a folder inside that of a class")
    if not pictures:
        held = f"none of the {len(others)} things in it is one" if others else "it is empty"
        raise UsageError(f"The class folder {place} holds no picture ({', '.join(sorted(SUFFIXES))}): {held}.", _IMAGES)
    return pictures, others


DATASET = Dataset(
    name="folder",
    layout="one subfolder of pictures per class",
    is_in=lambda folder: True,
    read=read_folder,
    left_out=lambda folder: survey(folder).left_out,
)
