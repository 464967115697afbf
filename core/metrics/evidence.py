"""What an audit sees of base and tuned model, one record per kind: what metrics are computed from. No torch."""

from dataclasses import dataclass

import numpy as np

from ..datasets.labelled import LabelledImages
from ..plan.block_design import Cells
from ..plan.vocabulary import Concept


@dataclass(frozen=True)
class Predictions:
    """The denoiser's predictions on the same noised latents of the concept-free prompts."""

    base: list[np.ndarray]
    """P arrays (T, C, h, w), one per prompt: the base's."""
    tuned: list[np.ndarray]
    """The same of the tuned model."""
    again: list[np.ndarray]
    """Of the base once more, row by row, for the first prompts: what arithmetic alone changes."""


@dataclass(frozen=True)
class Answers:
    """Denoising errors of labelled images under the prompt of every class; NaN where a class was eliminated before."""

    labelled: LabelledImages
    """N images of K classes."""
    base: np.ndarray
    """(N, K, T) errors of the base."""
    tuned: np.ndarray
    """(N, K, T) errors of the tuned model with the same noise."""
    other: np.ndarray
    """(N, K, T) errors of the base with other noise: the noise floor."""


@dataclass(frozen=True)
class Drawings:
    """Images of the concept-free prompts, prompt by prompt: S of each of the P prompts."""

    base: np.ndarray
    """(P * S, 3, H, W) uint8 of the base."""
    tuned: np.ndarray
    """Of the tuned model from the same noise."""
    other: np.ndarray
    """Of the base from other noise: the noise floor."""

    @property
    def stacks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images of base, tuned, and the base with other noise."""
        return self.base, self.tuned, self.other


@dataclass(frozen=True)
class ColorDrawings(Drawings):
    """Images of the prompts that ask for a colour, more of each than others have."""

    terms: tuple[str, ...]
    """Basic colour term that each of the images was asked for."""


@dataclass(frozen=True)
class Screened:
    """How far predictions moved under the prompts of a vocabulary: few rows of each of many concepts."""

    concepts: tuple[Concept, ...]
    """V concepts."""
    cells: Cells
    """Timestep and picture of each of their R rows."""
    change: np.ndarray
    """(V, R) squared norm of tuned minus base prediction."""
    norm: np.ndarray
    """(V, R) squared norm of the base prediction."""


Evidence = Predictions | Answers | Drawings | ColorDrawings | Screened
"""Any of them."""
