"""Rows of a vocabulary whose damage is known: additive in concept, timestep and picture, with normal noise."""

from dataclasses import dataclass

import numpy as np
from owf.core.metrics.screening.inference.attributes import Attribute
from owf.core.metrics.screening.inference.rows import ConceptMeans, concept_means
from owf.core.plan.screening.block_design import block_design

TIMESTEPS, PICTURES = 4, 4


@dataclass(frozen=True)
class World:
    """Every combination of three attributes, one concept each."""

    counts: tuple[int, ...] = (6, 5, 3)
    names: tuple[str, ...] = ("class", "colour", "place")

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        codes = np.indices(self.counts).reshape(len(self.counts), -1)
        return tuple(
            Attribute(name, tuple(f"{name} {i}" for i in range(count)), code)
            for name, count, code in zip(self.names, self.counts, codes, strict=True)
        )

    def having(self, **levels: int) -> np.ndarray:
        """Return which concepts have these levels of the attributes."""
        return np.logical_and.reduce([a.codes == levels[a.name] for a in self.attributes if a.name in levels])


def seen(truth: np.ndarray, rng: np.random.Generator, noise: float = 1.0, rows: int = 2) -> ConceptMeans:
    """Return the means of concepts whose true means are `truth` (V,), each seen in a few noisy rows."""
    cells = block_design(len(truth), rows, TIMESTEPS, PICTURES, seed=int(rng.integers(1 << 30)))
    timestep, picture = (centred(rng.normal(0, 2, count)) for count in (TIMESTEPS, PICTURES))
    values = truth[:, None] + timestep[cells.timestep] + picture[cells.picture]
    return concept_means(values + rng.normal(0, noise, values.shape), cells)


def centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean()
