"""Foretelling a number from others: ridge regression, judged on rows that it has not seen. Pure numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RIDGE = 1.0
"""Penalty on coefficients of standardised columns: as strong as one row. Columns are about as many as a tenth of the
rows and go together (norm, rate, steps), so that without any their coefficients run away."""
FOLDS = 10
"""Parts that are left out in turn where rows belong to too few groups to leave out whole ones."""
COVERED = 0.8
"""Share of rows that a prediction's interval is to hold."""


@dataclass(frozen=True)
class Foretold:
    """Predictions of rows by a model that was fitted without them."""

    predicted: np.ndarray
    """(n,) each from a fit without the row's fold."""
    half: np.ndarray
    """(n,) half the interval that is to hold `COVERED` of the rows: of the errors in the other folds."""

    def held(self, measured: np.ndarray) -> float:
        """Return the share of rows whose measured value lies within its interval."""
        return float((np.abs(measured - self.predicted) <= self.half).mean())


def folds_of(groups: Sequence[object], least: int = 3) -> np.ndarray:
    """Return the fold (n,) of each row: its group where there are enough, else one of `FOLDS` in turn.

    Left out as a whole, a concept says what the prediction is worth for one that nobody has trained yet.
    """
    names = list(dict.fromkeys(groups))
    if len(names) >= least:
        return np.array([names.index(group) for group in groups])
    return np.arange(len(groups)) % FOLDS


def foretell(columns: np.ndarray, target: np.ndarray, folds: np.ndarray) -> Foretold:
    """Return the predictions of a target (n,) from columns (n, p), each fold by the others.

    Raises ValueError where there are fewer than two folds.
    """
    names = np.unique(folds)
    if len(names) < 2:
        raise ValueError("rows of one fold cannot be foretold by others")
    predicted = np.empty(len(target))
    for fold in names:
        inside = folds == fold
        predicted[inside] = _ridge(columns[~inside], target[~inside], columns[inside])
    errors = np.abs(target - predicted)
    half = np.array([np.quantile(errors[folds != fold], COVERED, method="higher") for fold in folds])
    return Foretold(predicted, half)


def _ridge(columns: np.ndarray, target: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return predictions for rows `asked` (m, p) of a fit to others."""
    middle, spread = columns.mean(0), columns.std(0)
    spread = np.where(spread > 0, spread, 1.0)  # a column that does not vary says nothing
    x, mean = (columns - middle) / spread, target.mean()
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (target - mean))
    return mean + (asked - middle) / spread @ weights
