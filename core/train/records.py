"""What a training is given, what it tells, and what it returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import families
from ..model.diffusion.batch import Batching
from ..model.memory import AS_LOADED, Keeping
from ..progress import Progress
from ..verdict.learning import Learning

if TYPE_CHECKING:
    from ..metrics.images.features import FeatureNetwork

Networks = Callable[[], "Sequence[FeatureNetwork]"]
"""Loads the networks that pictures of the concept are compared by."""


@dataclass(frozen=True)
class Picture:
    """One training picture, cut to its bucket."""

    pixels: torch.Tensor
    """(3, H, W) uint8."""
    caption: str
    """What it shows, with the concept's name."""
    repeats: int = 1
    """How often it is seen in one epoch."""


@dataclass(frozen=True)
class StepRecord:
    """What one optimizer step looked like."""

    step: int
    """Steps done, from 1."""
    loss: float
    """Mean denoising error of the concept's rows."""
    terms: Mapping[str, float]
    """Unweighted loss of each preservation term that was asked in this step."""
    weights: Mapping[str, float]
    """Weight of each preservation term."""
    rate: float
    """Learning rate."""
    drift: float | None = None
    """Denoiser drift on the watched prompts, where it was measured after this step."""
    validation: float | None = None
    """Denoising error of the held-out pictures, likewise."""
    gain: float | None = None
    """How far the concept's denoising error fell below the base's, as a share, where the weight of `dc` follows it."""


@dataclass(frozen=True)
class TrainSetting:
    """What a training works with, besides the plan, the base and the pictures."""

    name: str
    """Name of the LoRA; its file is `<folder>/<name>.safetensors`."""
    folder: Path
    """Where the LoRA, its checkpoint, curves and samples go."""
    cache: Path
    """Where latents drawn by the base are kept for the next training."""
    progress: Progress
    """Who is told how far it is: UNet rows drawn, then rows trained."""
    batch: Batching
    """UNet rows at once where nothing is trained."""
    resume: bool = False
    """Continue from the checkpoint in `folder`, if there is one."""
    save_every: float = 60.0
    """Seconds between checkpoints; more where saving would take over two percent of the time."""
    keeping: Keeping = AS_LOADED
    """How the base is kept."""
    usual: families.Drawing = families.USUAL
    """How people draw with the base."""
    networks: "Networks | None" = None
    """Loads, after the last step, what sees whether the concept was learned; None where that is not measured."""
    watch: Callable[[StepRecord], None] = lambda record: None
    """Told of every step; may raise to stop at once."""
    stop: Callable[[], bool] = lambda: False
    """Asked after every step whether to save a checkpoint and return early."""


@dataclass(frozen=True)
class Trained:
    """What a training left behind."""

    path: Path
    """The LoRA."""
    embedding: Path | None
    """The trigger's embedding, where the method learns one."""
    steps: int
    """Steps done."""
    finished: bool
    """Whether these are all; otherwise the same call with `resume` continues."""
    drift: float | None
    """Denoiser drift on the watched prompts at the end."""
    facts: tuple[tuple[str, str], ...]
    """Metadata of the file."""
    learning: Learning | None = None
    """Whether the concept was learned; None where it was not measured."""

    def is_above(self, budget: float) -> bool:
        """Return whether drift ended above a budget; 0 is none."""
        return budget > 0 and self.drift is not None and self.drift > budget
