"""Concepts and how far each moved, with the names and intervals that reports show."""

from dataclasses import dataclass

import numpy as np

from ...plan.vocabulary import Concept
from ..measurement import Estimate, Part
from ..statistics import student_quantile
from .inference.attributes import Attribute
from .inference.rows import ConceptMeans
from .naming import Levels
from .ways import LIMIT, WHOLE, Units, allowed, each_allowed, limit, way, way_estimate

EVERYTHING = "everything"
"""What all concepts together are called."""


@dataclass(frozen=True)
class Moved:
    """Concepts that count, and how far each moved."""

    concepts: list[Concept]
    """V concepts."""
    means: ConceptMeans
    """Logarithms of what their predictions changed by."""
    units: Units
    """What prompts do to them."""
    attributes: tuple[Attribute, ...]
    """What they have in common."""

    def thing_way(self, levels: Levels, members: np.ndarray, quantile: float) -> Estimate:
        """Return how far a thing went in any direction, beyond what goes with everything else.

        In units of the way to another prompt; the interval is as many standard errors wide to either side.
        """
        mean, spread = self.means.of(members)
        unit, free = self.units.of(levels, members), allowed(self.means, members)
        return way_estimate(mean, quantile * spread, free, unit, len(members))

    def limit_of(self, levels: Levels, members: np.ndarray) -> float:
        """Return the logarithm of the change from which on a thing is damaged."""
        free, unit = allowed(self.means, members), self.units.of(levels, members)
        return float(limit(free, unit, LIMIT if self.is_one(members) else WHOLE))

    def is_one(self, members: np.ndarray) -> bool:
        """Return whether a thing is not everything; a concept that is asked alone is one."""
        return len(members) < len(self.concepts) or len(self.concepts) == 1

    def p_values(self) -> np.ndarray:
        """Return the p-values (V,) of "within the limit" for each concept alone."""
        return self.means.above(limit(self.allowed(), self.units.concepts))

    def allowed(self) -> np.ndarray:
        """Return the change of each concept that goes with that of all others (V,)."""
        return each_allowed(self.means, self.units.concepts)

    def ways(self) -> np.ndarray:
        """Return how much of the way to another prompt each concept went (V,)."""
        return way(self.means.mean, self.allowed(), self.units.concepts)

    def concept_ways(self, places: np.ndarray, level: float, free: np.ndarray | None = None) -> tuple[Part, ...]:
        """Return the ways of single concepts at these places, with intervals of a level.

        They count from what is allowed beside all others of them, or from `free` (V,).
        """
        half, units = student_quantile(level, self.means.freedom) * self.means.spread, self.units.concepts
        free = self.allowed() if free is None else free
        rows = ((float(self.means.mean[i]), float(half[i]), float(free[i]), float(units[i])) for i in places)
        return tuple(Part(self.concepts[i].label, way_estimate(*row, 1)) for i, row in zip(places, rows, strict=True))

    def name(self, levels: Levels, members: np.ndarray) -> str:
        """Return what people call a thing."""
        if levels:
            return f"{' & '.join(self._called(*level) for level in levels)} ({len(members)} concepts)"
        return self.concepts[members[0]].label if len(members) == 1 else EVERYTHING

    def _called(self, attribute: str, level: str) -> str:
        """Return the level, after its attribute where another one has a level of this name, as black things have."""
        shared = sum(level in other.levels for other in self.attributes) > 1
        return f"{attribute} {level}" if shared else level
