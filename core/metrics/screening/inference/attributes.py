"""What attributes do, beside single concepts: regression of the concepts' means, with the concept as the unit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....plan.vocabulary import Concept
from ...statistics import LEVEL, simultaneous_level, student_quantile

LEAST = 3
"""Concepts of a level that say something of it beside their own."""


@dataclass(frozen=True)
class Attribute:
    """What some concepts have in one of several ways, such as a colour."""

    name: str
    """Such as "colour"."""
    levels: tuple[str, ...]
    """Ways of having it, such as "green"."""
    codes: np.ndarray
    """(V,) level of each concept, -1 where it has none."""


def attributes_of(concepts: Sequence[Concept]) -> tuple[Attribute, ...]:
    """Return the attributes that concepts have at two levels or more, each level with at least LEAST of them."""
    names = dict.fromkeys(name for concept in concepts for name, _ in concept.attributes)
    found = []
    for name in names:
        having = [dict(concept.attributes).get(name) for concept in concepts]
        counts = Counter(having)
        levels = tuple(level for level in dict.fromkeys(having) if level is not None and counts[level] >= LEAST)
        if len(levels) > 1:
            codes = np.array([levels.index(level) if level in levels else -1 for level in having])
            found.append(Attribute(name, levels, codes))
    return tuple(found)


@dataclass(frozen=True)
class Regression:
    """What attributes predict of each concept, and what is left."""

    predicted: np.ndarray
    """(V,) by the attributes alone."""
    spread: np.ndarray
    """(V,) standard errors of these."""
    rest: float
    """Variance between concepts that the attributes do not explain: at least one standard error of what chance makes
    of it, so that it is never said that concepts are all alike."""
    freedom: int
    """Concepts beyond those that the attributes' own effects took."""
    _attributes: tuple[Attribute, ...]
    _columns: np.ndarray
    _coefficients: np.ndarray
    _covariance: np.ndarray

    def level_means(self, level: float = LEVEL) -> list[tuple[str, str, float, float, float]]:
        """Return (attribute, level, mean, low, high) of every level, the intervals holding together.

        The mean is what the concepts that have the attribute would be on average if all had it at that level.
        """
        each = simultaneous_level(sum(len(a.levels) for a in self._attributes), level)
        quantile, first, found = student_quantile(each, self.freedom), 1, []
        for attribute in self._attributes:
            width = len(attribute.levels) - 1
            average = self._columns[attribute.codes >= 0].mean(0)
            for name, code in zip(attribute.levels, _contrasts(width + 1), strict=True):
                place = average.copy()
                place[first : first + width] = code
                mean, half = place @ self._coefficients, quantile * float(np.sqrt(place @ self._covariance @ place))
                found.append((attribute.name, name, float(mean), float(mean - half), float(mean + half)))
            first += width
        return found


def regress(mean: np.ndarray, spread: np.ndarray, attributes: Sequence[Attribute]) -> Regression | None:
    """Return the regression of means (V,) with standard errors on attributes, whose effects add up.

    Effects of an attribute's levels add to zero. Concepts differ beyond them with a variance found by Paule and
    Mandel's equation (the area model of Fay and Herriot 1979). None with fewer than three concepts beyond the effects:
    then nothing is known of how concepts differ.
    """
    columns = np.column_stack([np.ones(len(mean)), *(_coded(attribute) for attribute in attributes)])
    freedom = len(mean) - int(np.linalg.matrix_rank(columns))
    if freedom < 3:  # the least with which the variance of what is left has an error itself
        return None
    noise = np.square(spread)
    rest = _unexplained(mean, noise, columns, freedom)
    rest = max(rest, float(noise.mean()) * np.sqrt(2 / freedom))
    coefficients, covariance = _weighted(mean, noise + rest, columns)
    variance = np.einsum("vi,ij,vj->v", columns, covariance, columns)
    return Regression(
        columns @ coefficients,
        np.sqrt(variance.clip(0)),
        rest,
        freedom,
        tuple(attributes),
        columns,
        coefficients,
        covariance,
    )


def _weighted(mean: np.ndarray, variance: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients and their covariance."""
    weighted = columns / variance[:, None]
    covariance = np.linalg.pinv(weighted.T @ columns, hermitian=True)
    return covariance @ (weighted.T @ mean), covariance


def _unexplained(mean: np.ndarray, noise: np.ndarray, columns: np.ndarray, freedom: int) -> float:
    """Return the variance under which the weighted squares of what is left are as many as there are concepts free."""

    def excess(rest: float) -> float:
        coefficients, _ = _weighted(mean, noise + rest, columns)
        return float((np.square(mean - columns @ coefficients) / (noise + rest)).sum()) - freedom

    low, high = 0.0, float(np.square(mean - mean.mean()).sum()) / freedom
    if excess(0.0) <= 0:
        return 0.0
    for _ in range(50):  # halves the range to its last digit
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return high


def _coded(attribute: Attribute) -> np.ndarray:
    """Return columns (V, K - 1) of an attribute; a concept without it has zeros, the average of its levels."""
    coded = np.concatenate([_contrasts(len(attribute.levels)), np.zeros((1, len(attribute.levels) - 1))])
    return coded[attribute.codes]  # -1 is the last row


def _contrasts(count: int) -> np.ndarray:
    return np.concatenate([np.eye(count - 1), -np.ones((1, count - 1))])
