"""The demo base as a zero-shot classifier of its own classes."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from owf.core.datasets.images.labelled import LabelledImages
from owf.core.metrics.semantic import predicted_class
from owf.core.model.diffusion.batch import default_batching
from owf.core.model.diffusion.classifier import image_errors
from owf.core.plan.audit_plan import Stage

from ..world.world import CLASSES, article

if TYPE_CHECKING:
    from owf.core.model.diffusion.denoiser import Denoiser

CLASS_PROMPTS = tuple(f"a photo of {article(name)}" for name in CLASSES)


def classification_errors(
    denoiser: "Denoiser", labelled: LabelledImages, timesteps: int, loss: str, seed: int
) -> np.ndarray:
    """Return (N, classes, timesteps) denoising errors, timesteps evenly spaced over the whole schedule."""
    prompts = denoiser.encode_text(CLASS_PROMPTS)
    latents = denoiser.encode_image(torch.from_numpy(labelled.images))
    stages, batch = (Stage(timesteps, 1),), default_batching(denoiser)
    return image_errors(denoiser, latents, labelled.items, prompts, stages, loss, seed, batch)


def recognised(errors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return for each picture whether its own class has the least mean error."""
    return np.array([predicted_class(e) for e in errors]) == labels
