"""What a screening found: the same for the map that shows it and for the confirmation that asks further."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import InvalidError
from ..evidence import Screened
from .damage import Damages, find_damages
from .inference.attributes import attributes_of
from .inference.discovery import discoveries
from .inference.rows import concept_means
from .moved import Moved
from .own import told_apart
from .towards import towards
from .ways import logarithms, units

RATE = 0.05
"""False discovery rate of the damaged concepts."""


@dataclass(frozen=True)
class Found:
    """Concepts that count, the LoRA's own ones, and which are damaged."""

    moved: Moved
    """Those that count."""
    places: np.ndarray
    """Where these are among all that were asked."""
    own: Moved
    """Those that the LoRA was trained to change."""
    believed: bool
    """Whether the words of the file were believed."""
    p: np.ndarray
    """(V,) of the tests of "within the limit", for those that count."""
    damaged: np.ndarray
    """(V,) which of these found something."""
    named: Damages
    """What they are together."""


def find(seen: Screened, told: Sequence[str], claimed: Sequence[str]) -> Found:
    """Return what was found, without the concepts that the user (`told`) or the file (`claimed`) call its own.

    Raises InvalidError for what is no number: a prediction of infinite size would make of any change nothing.
    """
    _require_numbers(seen)
    own, believed = told_apart(seen.concepts, told, claimed)
    every = concept_means(logarithms(seen.change, seen.norm), seen.cells)
    unit = units(logarithms(seen.contrast, seen.norm), seen.exchanged, seen.near, seen.concepts)
    concepts, its_own = ([seen.concepts[i] for i in np.flatnonzero(which)] for which in (~own, own))
    means, its_units = every.only(~own), unit.only(~own)
    moved = Moved(concepts, means, its_units, attributes_of(concepts))
    p, places = moved.p_values(), np.flatnonzero(~own)
    return Found(
        moved,
        places,
        Moved(its_own, every.only(own), unit.only(own), ()),
        believed,
        p,
        discoveries(p, RATE),
        find_damages(moved, towards(seen, places, concepts)),
    )


def _require_numbers(seen: Screened) -> None:
    measured = (seen.change, seen.norm, seen.toward, seen.contrast, seen.embedding)
    if not all(np.isfinite(each).all() for each in measured):
        raise InvalidError("A measured number is NaN or infinite, so it says nothing.")
    if not seen.norm.all():
        raise InvalidError("The base predicts nothing at all for a prompt, so nothing can be said of its change.")
