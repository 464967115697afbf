"""What is damaged, in few words: what moved beyond all else, and what went to its neighbours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..measurement import Estimate
from ..statistics import LEVEL, simultaneous_level, student_quantile
from .inference.attributes import attributes_of
from .moved import Moved
from .naming import MOST, Levels, Named, Quantiles, Thing, name_damage
from .towards import FEW, Towards
from .ways import LIMIT

_WORTH = LIMIT / 2
"""Least difference to what is named already, in ways: half of what is damage."""


@dataclass(frozen=True)
class Damage:
    """Concepts that are named together, and how far they went."""

    levels: Levels
    """What they have in common; empty for a single concept, and for everything."""
    members: np.ndarray
    """Positions of the concepts."""
    way: Estimate
    """The larger of the ways beyond all else and to its neighbours. The intervals of all candidates hold together."""
    most: float
    """Upper end of an interval for it alone. The largest of several is one for whichever is the worst."""


@dataclass(frozen=True)
class Damages:
    """What is beyond its limit, and what can be said of everything that has many rows."""

    things: list[Damage]
    """Those above their limits, what explains most first; at most MOST, none twice."""
    groups: list[Damage]
    """Everything, and each level of an attribute, or each concept where they have none, above their limits or not. Of
    everything, the way in any direction alone."""
    standing: list[Damage]
    """Those that stand out clearly, above their limits or not, what explains most first."""


def find_damages(moved: Moved, towards: Sequence[Towards]) -> Damages:
    """Return what is damaged: either way of looking has half of the error, and each attribute its part of that."""
    level = simultaneous_level(2)
    length = name_damage(moved.means, moved.attributes, moved.limit_of, level)
    asked = [(t, _named(moved, t, simultaneous_level(len(towards), level))) for t in towards]
    ways = _Ways(moved, length, asked)
    # Whether everything is lost is asked of all rows, and of neighbours there is no everything.
    every = [ways.everything()] if length.things and not moved.is_one(length.things[0].members) else []
    singly = [[ways.of(t.levels, t.members) for t in length.things if moved.is_one(t.members)]]
    singly += [ways.towards(part, _widest(named.things)) for part, named in asked]
    standing = [[ways.of(t.levels, t.members) for t in length.standing]]
    standing += [ways.towards(part, named.standing) for part, named in asked]
    levels = [(group.levels, group.members) for group in length.groups if moved.is_one(group.members)]
    singles = [((), np.array([i])) for i in range(len(moved.concepts))]
    groups = [ways.of(*each) for each in levels or singles]
    return Damages([*every, *_merged(singly)][:MOST], [ways.everything(), *groups], list(_merged(standing)))


def _widest(things: Sequence[Thing]) -> list[Thing]:
    """Return things without what is a part of an earlier one: that red coats went further than others is no news."""
    found: list[Thing] = []
    for thing in things:
        if not any(set(known.levels) < set(thing.levels) for known in found):
            found.append(thing)
    return found


def _named(moved: Moved, part: Towards, level: float) -> Named:
    attributes = attributes_of([moved.concepts[i] for i in part.places])

    def limit(levels: Levels, members: np.ndarray) -> float:
        return LIMIT if moved.is_one(part.places[members]) else np.inf

    return name_damage(part.means, attributes, limit, level, _WORTH, part.rows, FEW)


class _Ways:
    """How far things went, with the bounds of all that could have been named."""

    def __init__(self, moved: Moved, length: Named, asked: Sequence[tuple[Towards, Named]]) -> None:
        self._moved, self._length, self._asked = moved, length.quantiles, asked

    def everything(self) -> Damage:
        members = np.arange(len(self._moved.concepts))
        way = self._moved.thing_way((), members, self._length.levels)
        return Damage((), members, way, way.high)

    def of(self, levels: Levels, members: np.ndarray, source: Towards | None = None) -> Damage:
        """Return a thing that was found going to its neighbours of one attribute (`source`), or in any direction.

        Of neighbours, those count that lack what makes the thing, or all where nothing can be exchanged for it.
        """
        if levels:
            having = (set(levels) <= set(concept.attributes) for concept in self._moved.concepts)
            members = np.flatnonzero(np.fromiter(having, bool))
        names = {name for name, _ in levels} & {part.attribute for part, _ in self._asked}
        families = [each for each in self._asked if each[0] is source or not names or each[0].attribute in names]
        together = [self._quantile(named.quantiles, levels, members) for _, named in families]
        way = self._way(levels, members, self._quantile(self._length, levels, members), families, together)
        alone = [student_quantile(LEVEL, part.means.freedom) for part, _ in families]
        own = self._way(levels, members, student_quantile(LEVEL, self._moved.means.freedom), families, alone)
        return Damage(levels, members, way, own.high)

    def towards(self, part: Towards, things: Sequence[Thing]) -> list[Damage]:
        """Return things that were found going to their neighbours of one attribute."""
        return [self.of(thing.levels, part.places[thing.members], part) for thing in things]

    def _quantile(self, quantiles: Quantiles, levels: Levels, members: np.ndarray) -> float:
        return quantiles.of(levels, members, len(self._moved.concepts))

    def _way(
        self,
        levels: Levels,
        members: np.ndarray,
        quantile: float,
        families: Sequence[tuple[Towards, Named]],
        quantiles: Sequence[float],
    ) -> Estimate:
        """Return the larger way, with intervals of so many standard errors, of the families each its own."""
        beyond = self._moved.thing_way(levels, members, quantile)
        ends = (_toward(members, part, q) for (part, _), q in zip(families, quantiles, strict=True))
        found = [each for each in ends if each is not None]
        if not found:
            return beyond
        value, low, high = (max(each) for each in zip(*found, strict=True))
        value, low, high = max(beyond.value, value), max(beyond.low, low), max(beyond.high, high)
        return Estimate(value, low, high, len(members), "relative")


def _toward(members: np.ndarray, part: Towards, quantile: float) -> tuple[float, float, float] | None:
    """Return how far members went to their neighbours, and both ends; None where too few rows say it."""
    inside = np.isin(part.places, members)
    if part.rows[inside].sum() < FEW:
        return None
    mean, spread = part.means.of(inside)
    value, low, high = (max(0.0, end) for end in (mean, mean - quantile * spread, mean + quantile * spread))
    # A prediction goes no further towards something than it goes: what moved little is whole wherever it went.
    square, error = part.squares.of(inside)
    return value, low, max(value, min(high, float(np.sqrt(square + quantile * error))))


def _merged(lists: Sequence[Sequence[Damage]]) -> Iterator[Damage]:
    """Yield the things of all lists, each once: of their next ones the one that surely went furthest, list by list."""
    left, known = [list(each) for each in lists], set()
    while any(left):
        found = max((each for each in left if each), key=lambda each: each[0].way.low).pop(0)
        key = found.levels or tuple(found.members)
        if key not in known:
            known.add(key)
            yield found
