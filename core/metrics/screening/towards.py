"""What went towards its neighbours: a thing that is lost is lost to something, mostly to what is next to it.

A LoRA that moves every prediction hides in that what a single thing moved by; the direction still shows it. 100 % is
the neighbour itself, half of it is as near to the neighbour as to what it was before. What becomes something further
away goes about half of the way to any neighbour: as far as that is from either.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...plan.vocabulary import Concept
from ..evidence import Screened
from .inference.rows import LEAST, ConceptMeans
from .ways import HEARD, NOISE

NEXT = 0.5
"""Least distance of a neighbour, in that of any other: what the base hardly tells apart is hardly lost."""

FEW = 6
"""Rows without which nothing is said of a thing: of fewer, a single odd one decides."""

_PRIOR = 10
"""Rows for which the variance of all counts beside that of a level's own ones."""


@dataclass(frozen=True)
class Towards:
    """How far concepts went towards neighbours that differ from them in one attribute."""

    attribute: str
    """Which one."""
    places: np.ndarray
    """(n,) which of the concepts were asked for it."""
    rows: np.ndarray
    """(n,) how often."""
    means: ConceptMeans
    """Of these n, in units of the way to a neighbour."""
    squares: ConceptMeans
    """Squares, in these units, of how far the same rows went in any direction: towards something it was no further."""


def towards(seen: Screened, places: np.ndarray, concepts: Sequence[Concept]) -> tuple[Towards, ...]:
    """Return how far concepts at these places went towards their neighbours, for each attribute that these differ in.

    Attributes of which too few rows were asked to know their error are left out.
    """
    gone, apart, moved = (each[places] / seen.norm[places] for each in (seen.toward, seen.contrast, seen.change))
    near, exchanged = seen.near[places], seen.exchanged[places]
    found = []
    for name in np.unique(exchanged[near]):
        rows, others = near & (exchanged == name), ~near & (exchanged == name)
        least = max(NEXT**2 * float(apart[others if others.any() else rows].mean()), HEARD * NOISE)
        having = [dict(concept.attributes).get(str(name), "") for concept in concepts]
        levels = np.unique(having, return_inverse=True)[1]
        if rows.sum() > len(np.unique(levels[rows.any(axis=1)])):
            found.append(_towards(str(name), rows, gone[rows], apart[rows], moved[rows], levels, least))
    return tuple(found)


def _towards(
    name: str,
    rows: np.ndarray,
    gone: np.ndarray,
    apart: np.ndarray,
    moved: np.ndarray,
    levels: np.ndarray,
    least: float,
) -> Towards:
    """Return what the chosen rows (V, R) say of concepts, each of a level (V,) of the attribute.

    `gone`, `apart` and `moved` are of these rows alone. A ratio of sums over the level, as what differs much shows
    most. The distance is the base's alone and counts as known.
    """
    owner = np.nonzero(rows)[0]
    places, place = np.unique(owner, return_inverse=True)
    level, asked = levels[owner], np.bincount(place)
    count = np.bincount(level)
    went, distance, square = (np.bincount(level, each) / count.clip(1) for each in (gone, apart, moved))
    unit = np.maximum(distance, least)
    share = went / distance.clip(np.finfo(float).tiny)
    variance, freedom = _variances(level, (gone - share[level] * apart) / unit[level])
    # Beside the share of its level, what is left of a concept: which distances it was asked for by chance says nothing.
    even = gone - share[level] * (apart - distance[level])
    # Of squares it grows with their size: what is alike at all levels is its ratio to that.
    relative, _ = _variances(level, moved / square.clip(np.finfo(float).tiny)[level] - 1)

    def means(each: np.ndarray, variance: np.ndarray) -> ConceptMeans:
        spread = np.sqrt(variance.clip(LEAST)[levels[places]] / asked)
        return ConceptMeans(np.bincount(place, each / unit[level]) / asked, spread, freedom, np.zeros((len(places), 1)))

    return Towards(name, places, asked, means(even, variance), means(moved, relative * np.square(square / unit)))


def _variances(level: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the variance of what is `left` of the rows (N,) of each level, drawn to that of all, and its freedom."""
    count, squares = np.bincount(level), np.bincount(level, np.square(left))
    freedom, own = len(level) - int((count > 0).sum()), (count - 1).clip(0)
    variance = (_PRIOR * squares.sum() / freedom + squares) / (_PRIOR + own)
    return variance, _PRIOR + int(own[count >= FEW].min(initial=freedom))
