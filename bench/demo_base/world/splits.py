"""Which held-out picture serves what: evaluation, shipped probes, or material for the demo concept."""

from dataclasses import dataclass

import numpy as np

EVALUATION_PER_CLASS = 50
PROBES_PER_CLASS = 30
"""Of a thousand pictures of each class: the rest is left for concepts."""
SEED = 20
"""Of which picture goes where; the shipped probes depend on it."""


@dataclass(frozen=True)
class Splits:
    """Disjoint row numbers of Fashion-MNIST's t10k pictures; none of them is trained on."""

    evaluation: np.ndarray
    """500 rows that the numbers in demo/README.md are measured on."""
    probes: np.ndarray
    """300 rows that ship as demo/probes.npz."""
    concept: np.ndarray
    """The rest, of which the demo concept is made."""


def split_held_out(labels: np.ndarray) -> Splits:
    """Return the fixed class-balanced splits of the t10k labels."""
    rng = np.random.default_rng(SEED)
    rows = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    first, second = EVALUATION_PER_CLASS, EVALUATION_PER_CLASS + PROBES_PER_CLASS
    parts = [np.sort(np.concatenate([r[a:b] for r in rows])) for a, b in ((0, first), (first, second))]
    return Splits(parts[0], parts[1], np.sort(np.concatenate([r[second:] for r in rows])))
