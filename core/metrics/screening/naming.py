"""The one thing that is damaged: a single concept, all of one attribute, or all of two."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..statistics import LEVEL, simultaneous_level, student_quantile
from .inference.attributes import Attribute
from .inference.rows import ConceptMeans

MOST = 10
"""Things that are named: more make no sentence."""

_STEPS = 30
"""Things that are looked at: each takes longer than the one before, and where more stand out, few words do not do."""

WORTH = math.log(2)
"""Least difference to what is named already, on the scale of logarithms: twice the drift."""


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
class Quantiles:
    """Standard errors by which the bounds of candidates are wide, so that those of all hold together."""

    levels: float
    """Of everything and of each level of an attribute: few, which have half of the error."""
    others: float
    """Of pairs of levels and of single concepts: many."""

    def of(self, levels: Levels, members: np.ndarray, count: int) -> float:
        """Return that of a thing among so many concepts."""
        return self.levels if len(levels) == 1 or len(members) == count else self.others


@dataclass(frozen=True)
class Named:
    """What is above its limit, and what can be said of everything that has many rows."""

    things: list[Thing]
    """Those above their limits, what explains most first; at most MOST, none twice."""
    groups: list[Thing]
    """Everything, and each level of an attribute, above or not."""
    standing: list[Thing]
    """Those that stand out clearly, above their limits or not, what explains most first."""
    quantiles: Quantiles
    """How wide their bounds are."""


def name_damage(
    means: ConceptMeans,
    attributes: Sequence[Attribute],
    limit: Callable[[Levels, np.ndarray], float],
    level: float = LEVEL,
    worth: float = WORTH,
    rows: np.ndarray | None = None,
    few: int = 1,
) -> Named:
    """Return things whose mean is above the limit of their levels and members.

    Candidates are everything, each level of an attribute, each pair of levels with several concepts, and each concept,
    as far as they have not too `few` of the `rows` (V,). Everything is named first where it is above the limit. Then,
    again and again, the candidate that explains most of what is left: the largest z of its concepts against those that
    are not named yet, if they differ by what is `worth` a name. All bounds hold together, whichever candidates are
    taken.
    """
    count = len(means.mean)
    groups = _groups(count, attributes, np.ones(count, int) if rows is None else rows, few)
    quantiles = _quantiles(groups, means.freedom, level)
    everything = _thing(means, (), np.arange(count), quantiles)
    large = [everything, *_levels_alone(means, groups, attributes, quantiles)]
    named = [everything] if everything.low > limit((), everything.members) else []
    columns, passed, standing = [np.ones(count)], set(), []
    while len(named) < MOST and len(standing) < _STEPS:
        place = _next(means, groups, columns, passed, quantiles.others, worth)
        if place is None:
            break
        passed.add(place)
        names, codes = groups[place[0]]
        thing = _thing(means, _levels(names, codes, place[1], attributes), np.flatnonzero(codes == place[1]), quantiles)
        columns.append((codes == place[1]).astype(float))
        standing.append(thing)
        if thing.low > limit(thing.levels, thing.members):
            named.append(thing)
    return Named(named, large, standing, quantiles)


def _quantiles(groups: Sequence[tuple[tuple[int, ...], np.ndarray]], freedom: int, level: float) -> Quantiles:
    sizes = [(len(names) == 1, len(np.unique(codes[codes >= 0]))) for names, codes in groups]
    counts = (1 + sum(n for is_level, n in sizes if is_level), sum(n for is_level, n in sizes if not is_level))
    return Quantiles(*(student_quantile(simultaneous_level(2 * count, level), freedom) for count in counts))


def _levels_alone(
    means: ConceptMeans,
    groups: Sequence[tuple[tuple[int, ...], np.ndarray]],
    attributes: Sequence[Attribute],
    quantiles: Quantiles,
) -> list[Thing]:
    return [
        _thing(means, _levels(names, codes, int(code), attributes), np.flatnonzero(codes == code), quantiles)
        for names, codes in groups
        if len(names) == 1
        for code in np.unique(codes[codes >= 0])
    ]


def _groups(
    count: int, attributes: Sequence[Attribute], rows: np.ndarray, few: int
) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Return (positions of attributes, codes (V,)) of every way to divide the concepts; -1 belongs to none."""
    groups: list[tuple[tuple[int, ...], np.ndarray]] = [((i,), a.codes) for i, a in enumerate(attributes)]
    for (i, first), (j, second) in combinations(enumerate(attributes), 2):
        both = (first.codes >= 0) & (second.codes >= 0)
        pair = np.where(both, first.codes * len(second.levels) + second.codes, -1)
        sizes = np.bincount(pair[both], minlength=len(first.levels) * len(second.levels))
        # A pair that one concept has is that concept.
        groups.append(((i, j), np.where(both & (sizes[pair] > 1), pair, -1)))
    groups.append(((), np.arange(count)))
    asked = [(names, _often_asked(codes, rows, few)) for names, codes in groups]
    return [(names, codes) for names, codes in asked if (codes >= 0).any()]


def _often_asked(codes: np.ndarray, rows: np.ndarray, few: int) -> np.ndarray:
    """Return codes without those that have too few of the rows."""
    inside = codes >= 0
    total = np.bincount(codes[inside], rows[inside])
    enough = inside.copy()
    enough[inside] = total[codes[inside]] >= few
    return np.where(enough, codes, -1)


def _next(
    means: ConceptMeans,
    groups: Sequence[tuple[tuple[int, ...], np.ndarray]],
    columns: Sequence[np.ndarray],
    passed: set[tuple[int, int]],
    quantile: float,
    worth: float,
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
        usable = (free > 1e-9 * total) & (excess > worth * free)
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


def _thing(means: ConceptMeans, levels: Levels, members: np.ndarray, quantiles: Quantiles) -> Thing:
    mean, spread = means.of(members)
    half = quantiles.of(levels, members, len(means.mean)) * spread
    return Thing(levels, members, mean, mean - half, mean + half)
