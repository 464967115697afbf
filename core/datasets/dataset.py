"""What a data set of labelled images is: the record at the end of its file, and the registry that finds it there."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..disk.files import LeftOut
from ..errors import Setting, UsageError
from ..registry import records
from .labelled import LabelledImages


@dataclass(frozen=True)
class Dataset:
    """One layout of labelled images on disk."""

    name: str
    """Name in plans and on command lines; that of its file."""
    layout: str
    """What its folder looks like, in plain words."""
    is_in: Callable[[Path], bool]
    """Whether a folder has this layout."""
    read: Callable[[Path, int, int], LabelledImages]
    """Folder, side and images per class (0: all) -> the first images of each class at side x side pixels.

    Raises UsageError that names what is wrong.
    """
    left_out: Callable[[Path], tuple[LeftOut, ...]] = lambda folder: ()
    """What a folder holds besides."""


@cache
def all_datasets() -> tuple[Dataset, ...]:
    """Return every data set; the layout that any folder may have comes last."""
    found = records(__name__, "DATASET", Dataset, helpers=("labelled", "shipped"))
    return tuple(sorted(found, key=lambda dataset: (dataset.name == GENERAL, dataset.name)))


def layouts() -> str:
    """Return what a folder of labelled images may look like, in plain words; the most general layout first."""
    return "; or ".join(dataset.layout for dataset in reversed(all_datasets()))


GENERAL = "folder"
"""The layout that a folder has if it has no other."""


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


_DATASET = Setting("dataset")
