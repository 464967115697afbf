"""Drift correction that learns: its weight where nobody fixes it.

In the first half of the steps it weighs little, so that by then the concept is known about as well as plain training
knows it after as many steps. From there on the weight rises as long as the concept keeps its share of the best that it
reached, and falls where it does not: the largest weight that costs no more than the rest of that share.
"""

import math
from collections.abc import Sequence
from itertools import chain, islice

from ..data.concept import ConceptData
from ..data.rows import Rows
from ..methods.method import Method
from .loss import LossMaker

KEPT = 0.9
"""Share of its best gain that the concept keeps: a tenth is the price that drift correction may have, by convention."""
START = 0.5
"""Weight of the first half, and the first to be moved: a sixteenth of the default where it is fixed, half of that of
prior preservation in DreamBooth. Without any, a model has drifted by then as far as plain training takes it, and not
all of that is mended afterwards."""
SPEED = math.log(2) / 2
"""Change of the weight's logarithm at a turn, for a concept at its best; none for one that just keeps its share.

So the weight settles there: what it does to the concept shows turns later, and a weight that rose until then would be
far too large."""
FASTEST_FALL = -2.0
"""The same change where the concept fell far below its share, in terms of `SPEED`: the weight halves."""
RANGE = (1e-2, 1e3)
"""Smallest and largest weight."""
ENOUGH = 1e-3
"""Drift below which the weight does not rise: a tenth of what audits allow, below which little is left to correct."""
TURNS = 30
"""Times that the gain is measured in a training: every one costs `ROWS` rows without gradients."""
ROWS = 16
"""Rows of the concept at the least, with the same noise each time, so that only the weights make a difference."""


def turned(weight: float, gain: float, best: float, drift: float | None) -> float:
    """Return the weight after a measurement of the concept's gain; `best` is the largest so far, `drift` the newest."""
    room = (gain / best - KEPT) / (1 - KEPT) if best > 0 else FASTEST_FALL  # 1 at its best, 0 at its share
    if room > 0 and drift is not None and drift <= ENOUGH:
        return weight
    return min(max(weight * math.exp(SPEED * max(room, FASTEST_FALL)), RANGE[0]), RANGE[1])


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
