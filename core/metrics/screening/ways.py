"""How far predictions went on the way to another prompt's: the unit in which the damage map judges.

100 % is as far as the base's own predictions are apart where prompts differ in one attribute, or in lists between two
entries. At half the way a prediction is as near to what the base says of something else as to what it said before,
which is where a classifier that compares errors changes its answer. What everything else moved by is no damage of a
single thing, so it is subtracted first. Of everything together nothing can be subtracted, and what moves every
prediction need not make one concept another: there the direction counts as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import InvalidError, Setting
from ...plan.vocabulary import KIND, Concept
from ..measurement import Estimate
from ..statistics import LEVEL, student_quantile
from .inference.rows import ConceptMeans

WHOLE = 1.0
"""The way from which on everything is damaged: all predictions changed by as much as other prompts would change them.
Half of it is no damage by itself: what moves alike under every prompt, as a look does, leaves them as far apart."""

CONFUSED = 0.5
"""Confusion from which on everything is damaged: half of what tells concepts apart is gone."""

LIMIT = 1 / 3
"""The same of one thing. It is lost to its nearest neighbour, as red to orange, and not to an average one: half the way
to a neighbour that is two thirds as far."""

_ALLOWED = 2.0
"""Times that a thing may move what the others did: concepts differ, and the double of nearly nothing is no damage."""

NOISE = 1e-6
"""Added to each row's drift: what half precision alone changes, so that an untouched model has a logarithm."""

HEARD = 10.0
"""Least difference between prompts in units of NOISE: with less, rounding would decide."""


def logarithms(change: np.ndarray, norm: np.ndarray) -> np.ndarray:
    """Return the logarithm of what predictions changed by, relative to their size; squared norms, of any shape."""
    return np.log(change / norm + NOISE)


@dataclass(frozen=True)
class Units:
    """What the base's prompts do to its predictions: squared, as logarithms."""

    whole: float
    """Of all concepts."""
    attributes: dict[str, float]
    """Of exchanging one attribute, where concepts have it."""
    concepts: np.ndarray
    """(V,) of the kind of each concept."""

    def of(self, levels: Sequence[tuple[str, str]], members: np.ndarray) -> float:
        """Return the unit of a thing that has these (attribute, level) pairs: of two, the nearer exchange counts."""
        known = [self.attributes[name] for name, _ in levels if name in self.attributes]
        if known:
            return min(known)
        return float(self.concepts[members[0]]) if len(members) == 1 else self.whole

    def only(self, members: np.ndarray) -> "Units":
        """Return those of the chosen concepts (boolean (V,)) alone; what was measured on all of them stays."""
        return Units(self.whole, self.attributes, self.concepts[members])


def units(contrast: np.ndarray, exchanged: np.ndarray, near: np.ndarray, concepts: Sequence[Concept]) -> Units:
    """Return the units for logarithms (V, R) of what other prompts did, which differed in these attributes (V, R).

    Of the rows that were asked for a neighbour (`near`, (V, R)) nothing is taken, or units would say how close the
    nearest is. They are what these rows read, the same ones for every LoRA, and no estimate of something beyond them.
    Raises InvalidError where prompts hardly change what the base predicts.
    """
    least, any_ = float(np.log(HEARD * NOISE)), ~near
    whole = float(contrast[any_].mean())
    if whole <= least:
        raise InvalidError(
            "The base predicts nearly the same whatever it is asked, so no concept of it can be lost.",
            Setting("base"),
            Setting("words"),
        )

    def unit(rows: np.ndarray) -> float:
        return max(float(contrast[rows & any_].mean()), least) if (rows & any_).any() else whole

    attributes = {str(name): unit(exchanged == name) for name in np.unique(exchanged) if name != KIND}
    kinds = np.array([dict(concept.attributes).get(KIND, "") for concept in concepts])
    of_kinds = {kind: unit((kinds == kind)[:, None]) for kind in np.unique(kinds)}
    return Units(whole, attributes, np.array([of_kinds[kind] for kind in kinds]))


def allowed(means: ConceptMeans, members: np.ndarray) -> float:
    """Return the change of a thing that is no damage of its own: it goes with that of all who are no members of it.

    NOISE where there are none.
    """
    outside = np.ones(len(means.mean), bool)
    outside[members] = False
    return allowed_beside(means.mean[outside])


def allowed_beside(means: np.ndarray) -> float:
    """Return the change that is allowed beside concepts of these means (N,)."""
    return max(_ALLOWED * float(np.exp(means.mean())), NOISE) if len(means) else NOISE


def each_allowed(means: ConceptMeans, units: np.ndarray) -> np.ndarray:
    """Return `allowed` of every concept alone (V,), and no more than leaves it within WHOLE: a share counts them all.

    `units` (V,) are theirs. A concept that went half the way is damaged, whether others did so or not.
    """
    count = len(means.mean)
    if count == 1:
        return np.array([NOISE])
    beside = _ALLOWED * np.exp((means.mean.sum() - means.mean) / (count - 1))
    return np.minimum(beside, (WHOLE**2 - LIMIT**2) * np.exp(units)).clip(NOISE)


def limit(allowed: np.ndarray | float, unit: np.ndarray | float, gone: float = LIMIT) -> np.ndarray:
    """Return the logarithm of the change at which this part of the way is gone."""
    return np.log(allowed + gone**2 * np.exp(unit))


def way(change: np.ndarray | float, allowed: np.ndarray | float, unit: np.ndarray | float) -> np.ndarray:
    """Return how much of the way is gone for a logarithm of change; 1 is as far as another prompt."""
    # Beyond e^100 nothing can be told apart, and squares would overflow.
    gone = np.exp(np.minimum(change, 100.0)) - allowed
    return np.sqrt(np.maximum(gone, 0.0) / np.exp(unit))


def way_estimate(mean: float, half: float, allowed: float, unit: float, n: int) -> Estimate:
    """Return a way from a mean of logarithms and the half-width of its interval."""
    value, low, high = (float(way(end, allowed, unit)) for end in (mean, mean - half, mean + half))
    return Estimate(value, low, high, n, "relative")


def confusion(toward: np.ndarray, contrast: np.ndarray, scale: np.ndarray, rows: np.ndarray) -> Estimate:
    """Return how much of what tells concepts apart is gone: twice the share of the way towards others.

    `toward` (V, R) are products of the changes with what other prompts change, and `contrast` the squared norms of the
    latter; of the chosen `rows` (V, R). Where every concept becomes any other one, or all become the same, predictions
    go half the way towards one drawn by chance, on average. Rows are divided by `scale`, so that what a prompt changes
    much does not stand for what it changes little. The concept is the unit of the interval, or the row where there is
    one alone.
    """
    went, whole = (np.where(rows, each / scale, 0.0) for each in (toward, contrast))
    asked = rows.any(axis=1)
    went, whole = (each[rows] if len(each) == 1 else each[asked].sum(axis=1) for each in (went, whole))
    count, share = len(went), float(went.sum() / whole.sum())
    # Of a ratio of means: the delta method.
    spread = float(np.sqrt(np.square(went - share * whole).sum() / (count * (count - 1))) / whole.mean())
    half = student_quantile(LEVEL, count - 1) * spread
    value, low, high = (max(0.0, 2 * end) for end in (share, share - half, share + half))
    return Estimate(value, low, high, count, "share")
