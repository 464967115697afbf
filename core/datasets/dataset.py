"""What a data set of labelled images is: the record at the end of its file, and the registry that finds it there."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..disk.files import LeftOut
from ..errors import Setting, UsageError
from ..registry import records
from .images.labelled import LabelledImages
from .images.subset import Choose, drawn, first
from .protocol import Protocol


@dataclass(frozen=True)
class Published:
    """What is to be known of a set that others published."""

    title: str
    """What its authors call it."""
    home: str
    """Their page."""
    archives: tuple[tuple[str, str], ...]
    """File to fetch and its MD5, empty where none is published. Nothing is fetched: the folder is the user's."""
    licence: str
    """What its authors allow, in a sentence."""
    protocol: Protocol
    """How the preset `paper` asks it."""
    untrainable: Callable[[Path], Path | None] = lambda folder: None
    """Finds the set's own folder at or in a folder, where its licence forbids to train on it."""


@dataclass(frozen=True)
class Dataset:
    """One layout of labelled images on disk."""

    name: str
    """Name in plans and on command lines; that of its file."""
    layout: str
    """What its folder looks like, in plain words."""
    is_in: Callable[[Path], bool]
    """Whether a folder has this layout."""
    read: Callable[[Path, int, Choose], LabelledImages]
    """Folder, side and which pictures of each class -> these at side x side pixels.

    Raises UsageError that names what is wrong.
    """
    left_out: Callable[[Path], tuple[LeftOut, ...]] = lambda folder: ()
    """What a folder holds besides."""
    published: Published | None = None
    """Where it comes from; None for a layout that anybody's pictures may have."""

    def images(self, folder: Path, side: int, per_class: int, seed: int) -> LabelledImages:
        """Return `per_class` images (0: all) of each class: of a published set those that the seed draws.

        Of a user's own pictures the first are taken, which are known by name.
        """
        return self.read(folder, side, first(per_class) if self.published is None else drawn(per_class, seed))


@cache
def all_datasets() -> tuple[Dataset, ...]:
    """Return every data set; the layout that any folder may have comes last."""
    helpers = ("accounts", "protocol")
    found = records(__name__, "DATASET", Dataset, helpers)
    return tuple(sorted(found, key=lambda dataset: (dataset.name == GENERAL, dataset.name)))


def layouts() -> str:
    """Return what a folder of labelled images may look like, in plain words; the most general layout first."""
    return "; or ".join(dataset.layout for dataset in reversed(all_datasets()))


GENERAL = "folder"
"""The layout that a folder has if it has no other."""
_ABOVE = 3
"""Folders above a picture's in which a set is looked for: none lies deeper in its own."""


def find_dataset(folder: Path, name: str = "") -> Dataset:
    """Return the data set whose layout a folder has, the one called `name` where that is given.

    Raises UsageError for an unknown name and for a folder that has not the layout of that name.
    """
    named = [dataset for dataset in all_datasets() if name in ("", dataset.name)]
    if not named:
        known = "; ".join(f"{dataset.name} ({dataset.layout})" for dataset in all_datasets())
        raise UsageError(f"Unknown data set {name!r}; there are {known}.", _DATASET)
    found = next((dataset for dataset in named if dataset.is_in(folder)), None)
    if found is None:
        raise UsageError(f"{folder} does not hold {named[0].layout}.", Setting("images"), _DATASET)
    return found


def require_trainable(folder: Path) -> None:
    """Raise UsageError for a folder of pictures that belong to a set whose licence forbids to train on it."""
    place = folder.absolute()
    for published in filter(None, (dataset.published for dataset in all_datasets())):
        found = (published.untrainable(above) for above in (place, *list(place.parents)[:_ABOVE]))
        # What lies beside the set, in a folder that holds both, is none of it.
        if any(own is not None and place.is_relative_to(own) for own in found):
            raise UsageError(f"{folder} is part of {published.title}: {published.licence}")


_DATASET = Setting("dataset")
