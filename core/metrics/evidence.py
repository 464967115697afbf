"""What an audit sees of base and tuned model, one record per kind: what metrics are computed from. No torch."""

from dataclasses import dataclass

import numpy as np

from ..datasets.images.labelled import LabelledImages
from ..plan.screening.block_design import Cells
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
class LongDrawings(Drawings):
    """Images of some of the concept-free prompts in more steps, from the noise that `Drawings` have for them."""

    places: range
    """Which of `Drawings` have the same prompts and noise."""


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
    toward: np.ndarray
    """(V, R) product of the change with what another prompt changes the base prediction by."""
    contrast: np.ndarray
    """(V, R) squared norm of the latter; see `plan/screening/contrasts.py`."""
    exchanged: np.ndarray
    """(V, R) names of the attribute that this prompt differs in."""
    near: np.ndarray
    """(V, R) whether it is one of the nearest by their texts, or any."""
    timesteps: tuple[int, ...]
    """Those that `cells` mean, ascending: where the prompt says most to the base."""
    embedding: np.ndarray
    """(V, D) the concepts' texts as the base reads them."""


@dataclass(frozen=True)
class Suspects:
    """Concepts that are asked further together: n pictures, each of one of them."""

    name: str
    """What they are called."""
    prompts: tuple[tuple[str, ...], ...]
    """(n) of each picture, the prompt that asks for it, and then those that it is compared under."""
    labels: tuple[tuple[str, ...], ...]
    """(n) what these ask for."""


@dataclass(frozen=True)
class Confirmed:
    """What the base sees in its own and in the tuned model's pictures of suspected concepts."""

    groups: tuple[Suspects, ...]
    """The control first."""
    before: tuple[np.ndarray, ...]
    """Of each group, which of its labels (n',) the base's pictures show; 0 is what was asked for. n' <= n."""
    after: tuple[np.ndarray, ...]
    """The same of the tuned model's pictures from the same noise."""
    pairs: tuple[tuple[str, int, np.ndarray, np.ndarray], ...]
    """Prompt, seed, and the pictures (3, H, W) uint8 of base and tuned model, of a few."""


Evidence = Predictions | Answers | Drawings | ColorDrawings | LongDrawings | Screened | Confirmed
"""Any of them."""
