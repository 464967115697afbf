"""Drift correction that learns: its weight where nobody fixes it.

The first half of the steps learns without it, so that by then the concept is known as well as plain training knows it
after as many steps. From there on the weight rises as long as the concept keeps its share of the best that it reached,
and falls where it does not: the largest weight that costs no more than the rest of that share.
"""

from collections.abc import Sequence
from itertools import chain, islice

from ..data.concept import ConceptData
from ..data.rows import Rows
from ..methods.method import Method
from .loss import LossMaker

KEPT = 0.9
"""Share of its best gain that the concept keeps: a tenth is about what other seeds change."""
START = 0.5
"""First weight: a sixteenth of the one that was fixed before, and forbade some concepts to be learned at all."""
RISE, FALL = 2**0.5, 0.5
"""Factors of the weight at a turn: it falls twice as fast as it rises, for what is lost has to be learned again."""
RANGE = (1e-2, 1e3)
"""Smallest and largest weight."""
ENOUGH = 1e-3
"""Drift below which the weight does not rise: a tenth of what audits allow, and no more than their own noise."""
TURNS = 30
"""Times that the gain is measured in a training: every one costs `ROWS` rows without gradients."""
ROWS = 16
"""Rows of the concept at the least, with the same noise each time, so that only the weights make a difference."""


def turned(weight: float, gain: float, best: float, drift: float | None) -> float:
    """Return the weight after a measurement of the concept's gain; `best` is the largest so far, `drift` the newest.

    A weight of 0 is that of the steps that only learn, which end here.
    """
    if weight == 0:
        return START
    if best <= 0 or gain < KEPT * best:
        return max(weight * FALL, RANGE[0])
    return min(weight * RISE, RANGE[1]) if drift is None or drift > ENOUGH else weight


def is_turn(step: int, steps: int) -> bool:
    """Return whether the gain is measured after so many of all steps."""
    every = -(-steps // TURNS)
    return step % every == 0 or step == steps


class ConceptGain:
    """How far the concept's denoising loss fell below the base's, on the same rows and noise each time."""

    def __init__(self, losses: LossMaker, method: Method, data: ConceptData) -> None:
        self._losses, self._rows = losses, _rows(data)
        with method.off():
            self._base = self._loss()

    def measure(self) -> float:
        """Return 1 - loss / loss of the base: 0 where nothing is learned."""
        return 1 - self._loss() / self._base

    def _loss(self) -> float:
        return sum(len(rows) * self._losses.validation_loss(rows) for rows in self._rows) / sum(map(len, self._rows))


def _rows(data: ConceptData) -> Sequence[Rows]:
    sweeps = chain.from_iterable(map(data.sweep, range(ROWS)))
    found: list[Rows] = []
    while sum(map(len, found)) < ROWS:
        found += islice(sweeps, 1)
    return found
