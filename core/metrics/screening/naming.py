"""The one thing that is damaged: a single concept, all of one attribute, or all of two."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..statistics import LEVEL, student_quantile
from .attributes import Attribute
from .rows import ConceptMeans

MOST = 10
"""Things that are named: more make no sentence."""

_STEPS = 30
"""Things that are looked at: each takes longer than the one before, and where more stand out, few words do not do."""

WORTH = math.log(2)
"""Least difference to what is named already, on the scale of the means: twice the drift."""


Levels = tuple[tuple[str, str], ...]
"""(attribute, level) pairs."""


@dataclass(frozen=True)
class Thing:
    """Concepts that are named together."""

    levels: Levels
    """What they have in common; empty for a single concept, and for everything."""
    members: np.ndarray
    """Positions of the concepts."""
    mean: float
    """Their mean."""
    low: float
    """Lower end of its interval; those of all candidates hold together."""
    high: float
    """Upper end."""


@dataclass(frozen=True)
class Named:
    """What is above its limit, and what can be said of everything that has many rows."""

    things: list[Thing]
    """Those above their limits, what explains most first; at most MOST, none twice."""
    groups: list[Thing]
    """Everything, and each level of an attribute, above or not."""
    standing: list[Thing]
    """Those that stand out clearly, above their limits or not, what explains most first."""


def name_damage(
    means: ConceptMeans,
    attributes: Sequence[Attribute],
    limit: Callable[[Levels, np.ndarray], float],
    level: float = LEVEL,
) -> Named:
    """Return things whose mean is above the limit of their levels and members.

    Candidates are everything, each level of an attribute, each pair of levels with several concepts, and each concept.
    Everything is named first where it is above the limit. Then, again and again, the candidate that explains most of
    what is left: the largest z of its concepts against those that are not named yet. All bounds hold together,
    whichever candidates are taken.
    """
    groups = _groups(len(means.mean), attributes)
    candidates = 1 + sum(int(codes.max()) + 1 for _, codes in groups)
    quantile = student_quantile(1 - (1 - level) / candidates, means.freedom)
    everything = _thing(means, (), np.arange(len(means.mean)), quantile)
    large = [everything, *_levels_alone(means, attributes, quantile)]
    named = [everything] if everything.low > limit((), everything.members) else []
    columns, passed, standing = [np.ones(len(means.mean))], set(), []
    while len(named) < MOST and len(standing) < _STEPS:
        place = _next(means, groups, columns, passed, quantile)
        if place is None:
            break
        passed.add(place)
        names, codes = groups[place[0]]
        thing = _thing(means, _levels(names, codes, place[1], attributes), np.flatnonzero(codes == place[1]), quantile)
        columns.append((codes == place[1]).astype(float))
        standing.append(thing)
        if thing.low > limit(thing.levels, thing.members):
            named.append(thing)
    return Named(named, large, standing)


def _levels_alone(means: ConceptMeans, attributes: Sequence[Attribute], quantile: float) -> list[Thing]:
    return [
        _thing(means, ((a.name, name),), np.flatnonzero(a.codes == code), quantile)
        for a in attributes
        for code, name in enumerate(a.levels)
    ]


def _groups(count: int, attributes: Sequence[Attribute]) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Return (positions of attributes, codes (V,)) of every way to divide the concepts; -1 belongs to none."""
    groups: list[tuple[tuple[int, ...], np.ndarray]] = [((i,), a.codes) for i, a in enumerate(attributes)]
    for (i, first), (j, second) in combinations(enumerate(attributes), 2):
        both = (first.codes >= 0) & (second.codes >= 0)
        pair = np.where(both, first.codes * len(second.levels) + second.codes, -1)
        sizes = np.bincount(pair[both], minlength=len(first.levels) * len(second.levels))
        # A pair that one concept has is that concept.
        groups.append(((i, j), np.where(both & (sizes[pair] > 1), pair, -1)))
    return [*((names, codes) for names, codes in groups if (codes >= 0).any()), ((), np.arange(count))]


def _next(
    means: ConceptMeans,
    groups: Sequence[tuple[tuple[int, ...], np.ndarray]],
    columns: Sequence[np.ndarray],
    passed: set[tuple[int, int]],
    quantile: float,
) -> tuple[int, int] | None:
    """Return (group, level) of the candidate that explains most beyond the named ones; None where none clearly does."""
    weights = 1 / np.square(means.spread)
    named = np.column_stack(columns)
    root = np.sqrt(weights)
    coefficients, *_ = np.linalg.lstsq(named * root[:, None], means.mean * root, rcond=None)
    left, total = means.mean - named @ coefficients, weights.sum()
    best, place = quantile, None
    for i, (_, codes) in enumerate(groups):
        inside = codes >= 0
        weight = np.bincount(codes[inside], weights[inside])
        excess = np.bincount(codes[inside], (weights * left)[inside])
        # Against all others: what a candidate adds beside the mean of all.
        free = weight * (1 - weight / total)
        usable = (free > 1e-9 * total) & (excess > WORTH * free)
        z = np.where(usable, excess / np.sqrt(np.where(usable, free, 1.0)), -np.inf)
        for level in np.argsort(-z, kind="stable")[: len(passed) + 1]:
            if z[level] > best and (i, int(level)) not in passed:
                best, place = float(z[level]), (i, int(level))
                break
    return place


def _levels(names: tuple[int, ...], codes: np.ndarray, code: int, attributes: Sequence[Attribute]) -> Levels:
    member = int(np.flatnonzero(codes == code)[0])
    chosen = (attributes[i] for i in names)
    return tuple((attribute.name, attribute.levels[attribute.codes[member]]) for attribute in chosen)


def _thing(means: ConceptMeans, levels: Levels, members: np.ndarray, quantile: float) -> Thing:
    mean, spread = means.of(members)
    return Thing(levels, members, mean, mean - quantile * spread, mean + quantile * spread)
