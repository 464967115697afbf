"""What the jobs of an experiment are done with."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ...metrics.images.features import Fetching
from ...model.diffusion.batch import Batching
from ...model.diffusion.denoiser import TrainableDenoiser
from ...model.memory import AS_LOADED, Keeping
from ...progress import Progress


@dataclass(frozen=True)
class Bench:
    """The base and everything around it that does not change between jobs."""

    denoiser: TrainableDenoiser
    """The base."""
    names: tuple[str, ...]
    """Further names of the base, by which the language of prompts is told."""
    batch: Batching
    """UNet rows at once."""
    cache: Path
    """What the base draws and answers, kept for the next LoRA."""
    fetching: Fetching
    """Where networks come from and run."""
    watching: Callable[[], AbstractContextManager[Progress]]
    """Opens who is told how far one training or audit is."""
    keeping: Keeping = AS_LOADED
    """How the base is kept; LoRAs stand beside weights that are rounded or wait."""


def short_hash(text: str) -> str:
    """Return a name for all that a text says."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]
