"""Denoiser drift on prompts that are held out from training: the audit's own definition, small and repeatable."""

import numpy as np
import torch

from ...metrics.denoiser_drift import squared_norms
from ...model.diffusion.batch import Batching
from ...model.diffusion.denoiser import Conditioning, TrainableDenoiser
from ...model.diffusion.drawings import LatentCache
from ...model.diffusion.predictions import predictions
from ..methods.method import Method

TIMESTEPS = 4
"""Of each prompt: a training is watched many times, and the trend counts."""
SEED = 4_000_003
"""Seed of its noise, which no audit uses by default."""


class DriftWatch:
    """Compares the trained model with the base on the same latents, noise and timesteps each time."""

    def __init__(self, denoiser: TrainableDenoiser, method: Method, prompts: tuple[str, ...], drawings: LatentCache,
                 batch: Batching, own_steps: int = 0) -> None:  # fmt: skip
        """Take how many steps the base was distilled to, at whose times it is asked then; 0 for other bases."""
        self._denoiser, self._prompts, self._batch, self._own_steps = denoiser, prompts, batch, own_steps
        self._trains_text = method.trains_text
        self._cond: Conditioning | None = None
        with method.off():
            self._latents = drawings.latents("Base: drawing held-out prompts", prompts).to(denoiser.device)
            self._base = self._predict()
        self._norm = sum(float(squared_norms(base).sum()) for base in self._base)

    def measure(self) -> float:
        """Return E |trained - base|^2 / E |base|^2 (`metrics.denoiser_drift`)."""
        pairs = zip(self._base, self._predict(), strict=True)
        return sum(float(squared_norms(now - base).sum()) for base, now in pairs) / self._norm

    @torch.no_grad()
    def _predict(self) -> list[np.ndarray]:
        cond, device = self._encoded(), self._denoiser.device
        return [
            predictions(
                self._denoiser,
                self._latents[i],
                prompt,
                cond.rows([i]).to(device),
                TIMESTEPS,
                SEED,
                self._batch,
                drawn=self._own_steps,
            )
            for i, prompt in enumerate(self._prompts)
        ]

    def _encoded(self) -> Conditioning:
        """Return the prompts in main memory, read once unless what reads them is trained: it may wait elsewhere."""
        if self._cond is None or self._trains_text:
            self._cond = self._denoiser.encode_text(self._prompts).to(torch.device("cpu"))
        return self._cond
