"""From rows to concepts: means freed of timesteps and pictures, and what is known of their error."""

from dataclasses import dataclass

import numpy as np

from ....errors import InvalidError
from ....plan.screening.block_design import Cells
from ...statistics import student_quantile

LEAST = 1e-12
"""Least variance of rows: where nothing changed they are alike to the last digit, and errors divide by theirs."""


@dataclass(frozen=True)
class ConceptMeans:
    """The mean of each of V concepts over all timesteps and pictures, and its error."""

    mean: np.ndarray
    """(V,) unbiased, not shrunk."""
    spread: np.ndarray
    """(V,) standard errors; they share one estimate of the rows' variance."""
    freedom: int
    """Degrees of freedom of that estimate."""
    common: np.ndarray
    """(V, K) what the shared estimates of timesteps and pictures add: the means' covariance has common @ common.T."""

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return both ends (V,) of Student's intervals, each at a level of its own."""
        half = student_quantile(level, self.freedom) * self.spread
        return self.mean - half, self.mean + half

    def above(self, limit: float | np.ndarray) -> np.ndarray:
        """Return the p-values (V,) of the tests of "at most the limit" against "above it"."""
        from scipy.special import stdtr

        return stdtr(self.freedom, (limit - self.mean) / self.spread)

    def only(self, members: np.ndarray) -> "ConceptMeans":
        """Return those of the chosen concepts (boolean (V,) or positions) alone."""
        return ConceptMeans(self.mean[members], self.spread[members], self.freedom, self.common[members])

    def of(self, members: np.ndarray) -> tuple[float, float]:
        """Return the mean over the chosen concepts (boolean (V,) or positions) and its standard error."""
        shared, own = self.common[members], self.spread[members] ** 2 - np.square(self.common[members]).sum(1)
        variance = np.square(shared.mean(0)).sum() + own.sum() / len(own) ** 2
        return float(self.mean[members].mean()), float(np.sqrt(variance))


def concept_means(values: np.ndarray, cells: Cells) -> ConceptMeans:
    """Return the concepts' means for values (V, R) of the rows: additive in concept, timestep and picture.

    Least squares; timesteps and pictures are compared within concepts only, and count equally in the means, asked of
    them or not. Raises InvalidError for values that are not finite or too few to know their error.
    """
    values = np.asarray(values, np.float64)
    if not np.isfinite(values).all():
        raise InvalidError("A measured number is NaN or infinite, so it says nothing.")
    concepts, rows = values.shape
    columns = np.concatenate([_contrasts(cells.timestep), _contrasts(cells.picture)], axis=2)
    within = (columns - columns.mean(1, keepdims=True)).reshape(concepts * rows, -1)
    left = (values - values.mean(1, keepdims=True)).ravel()
    products = within.T @ within
    freedom = concepts * (rows - 1) - len(products)
    if freedom < 1 or np.linalg.matrix_rank(products, hermitian=True) < len(products):
        raise InvalidError(f"{concepts} concepts with {rows} rows each are too few to know how exact they are.")
    inverse = np.linalg.inv(products)
    shared = inverse @ (within.T @ left)
    variance = max(float(np.square(left - within @ shared).sum()) / freedom, LEAST)
    place = columns.mean(1)
    # A root of the inverse, so that products of its rows are the covariance that concepts share.
    common = np.sqrt(variance) * place @ np.linalg.cholesky(inverse)
    spread = np.sqrt(variance / rows + np.square(common).sum(1))
    return ConceptMeans(values.mean(1) - place @ shared, spread, freedom, common)


def _contrasts(levels: np.ndarray) -> np.ndarray:
    """Return columns (V, R, K - 1) of K levels whose effects add to zero; there may be one level only."""
    count = int(levels.max()) + 1
    coded = np.concatenate([np.eye(count - 1), -np.ones((1, count - 1))])
    return coded[levels]
