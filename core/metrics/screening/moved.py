"""Concepts and how far each moved, with the names and intervals that reports show."""

from dataclasses import dataclass

import numpy as np

from ...plan.vocabulary import Concept
from ..measurement import Estimate, Part
from ..statistics import student_quantile
from .attributes import Attribute
from .naming import Levels, Thing
from .rows import ConceptMeans
from .ways import LIMIT, WHOLE, Units, allowed, each_allowed, limit, way, way_estimate


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

    def thing_way(self, thing: Thing) -> Estimate:
        """Return how much of the way to another prompt a thing went, beyond what goes with everything else."""
        unit, free = self.units.of(thing.levels, thing.members), allowed(self.means, thing.members)
        return way_estimate(thing.mean, (thing.high - thing.low) / 2, free, unit, len(thing.members))

    def limit_of(self, levels: Levels, members: np.ndarray) -> float:
        """Return the logarithm of the change from which on a thing is damaged."""
        is_all = len(members) == len(self.concepts) > 1
        free, unit = allowed(self.means, members), self.units.of(levels, members)
        return float(limit(free, unit, WHOLE if is_all else LIMIT))

    def is_one(self, thing: Thing) -> bool:
        """Return whether a thing is not everything; a concept that is asked alone is one."""
        return len(thing.members) < len(self.concepts) or len(self.concepts) == 1

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

    def name(self, thing: Thing) -> str:
        """Return what people call a thing."""
        if thing.levels:
            return f"{' & '.join(self._called(*level) for level in thing.levels)} ({len(thing.members)} concepts)"
        return self.concepts[thing.members[0]].label if len(thing.members) == 1 else "everything"

    def _called(self, attribute: str, level: str) -> str:
        """Return the level, after its attribute where another one has a level of this name, as black things have."""
        shared = sum(level in other.levels for other in self.attributes) > 1
        return f"{attribute} {level}" if shared else level
