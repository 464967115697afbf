"""The demo base as a zero-shot classifier: denoising errors of each picture under each class prompt."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

CHUNK = 10
"""Pictures at a time."""


@torch.no_grad()
def classification_errors(
    pipeline: "StableDiffusionPipeline",
    pictures: torch.Tensor,
    prompts: Sequence[str],
    timesteps: int,
    seed: int,
) -> torch.Tensor:
    """Return (2, N, timesteps, prompts) mean absolute (0) and squared (1) errors of the predicted noise.

    The timesteps are the middles of equal bands over the whole schedule. All prompts of a picture see the
    same noise, as in the Diffusion Classifier (Li et al. 2023, algorithm 1).
    """
    latents = torch.cat([_encode(pipeline, part) for part in pictures.split(100)])
    context = pipeline.encode_prompt(list(prompts), latents.device, 1, do_classifier_free_guidance=False)[0]
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((len(latents), timesteps, *latents.shape[1:]), generator=generator)
    pairs = zip(latents.split(CHUNK), noise.split(CHUNK), strict=True)
    return torch.cat([_errors(pipeline, x, eps, context) for x, eps in pairs], dim=1)


def _encode(pipeline: "StableDiffusionPipeline", pictures: torch.Tensor) -> torch.Tensor:
    return pipeline.vae.encode(pictures * 2 - 1).latent_dist.mean * pipeline.vae.config.scaling_factor


def _errors(
    pipeline: "StableDiffusionPipeline", x: torch.Tensor, noise: torch.Tensor, context: torch.Tensor
) -> torch.Tensor:
    """Return (2, n, timesteps, prompts) errors of n pictures whose noise is (n, timesteps, 4, 8, 8)."""
    n, count, classes = len(x), noise.shape[1], len(context)
    schedule = pipeline.scheduler.alphas_cumprod
    times = ((torch.arange(count) + 0.5) * len(schedule) / count).long()
    columns = []
    for step, t in enumerate(times):
        eps = noise[:, step]
        noisy = schedule[t].sqrt() * x + (1 - schedule[t]).sqrt() * eps
        prediction = pipeline.unet(noisy.repeat_interleave(classes, 0), t, context.repeat(n, 1, 1)).sample.unflatten(
            0, (n, classes)
        )
        difference = prediction - eps[:, None]
        columns.append(torch.stack([difference.abs().mean((2, 3, 4)), difference.square().mean((2, 3, 4))]))
    return torch.stack(columns, dim=2)


def accuracy(errors: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of pictures whose own class has the least mean error in (N, timesteps, classes)."""
    return float((errors.mean(dim=1).argmin(dim=1) == labels).float().mean())
