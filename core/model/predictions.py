"""What a denoiser predicts on noised latents at evenly spaced timesteps: how its function is compared, unsampled."""

import numpy as np
import torch

from ..progress import SILENT, Progress
from .batch import Batching
from .denoiser import Conditioning, Denoiser
from .noise import at_least_float32, gaussian
from .schedule import spaced_timesteps


@torch.no_grad()
def predictions(
    denoiser: Denoiser,
    latents: torch.Tensor,
    item: str,
    cond: Conditioning,
    count: int,
    seed: int,
    batch: Batching,
    progress: Progress = SILENT,
) -> np.ndarray:
    """Return the network's predictions (T, C, h, w) float32 for one latent (C, h, w) at `count` spaced timesteps.

    `cond` is the one row of the prompt; the noise depends on (seed, item, timestep) only.
    """
    timesteps = spaced_timesteps(count, denoiser.schedule.steps)
    latents = at_least_float32(latents)
    noise = torch.stack([gaussian(tuple(latents.shape), seed, f"drift|{item}", t) for t in timesteps])
    noise = noise.to(latents.device, latents.dtype)
    t = torch.tensor(timesteps, device=latents.device)
    x_t = denoiser.schedule.noise(latents.expand_as(noise), noise, t).to(denoiser.dtype)
    predict = lambda rows: denoiser.predict(x_t[rows], t[rows], cond.rows([0] * len(t[rows]))).float().cpu()  # noqa: E731
    parts = batch.run(count, predict)
    progress.advance(count)
    return torch.cat(parts).numpy()
