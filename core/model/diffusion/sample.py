"""Seeded image generation: deterministic DDIM on any Denoiser, the same noise for base and tuned."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ...progress import SILENT, Progress
from .batch import Batching
from .denoiser import Conditioning, Denoiser
from .noise import gaussian
from .schedule import Schedule


@dataclass(frozen=True)
class Sampling:
    """How images are drawn."""

    steps: int = 20
    """Denoising steps."""
    guidance_scale: float = 5.0
    """Weight of classifier-free guidance; 1 turns it off and halves the cost."""
    negative: str = field(default="", repr=False)  # by their repr, caches know drawings from before there was one
    """Prompt that guidance leads away from."""

    @property
    def rows(self) -> int:
        """UNet rows that one image costs."""
        return self.steps * (1 if self.guidance_scale == 1 else 2)


@torch.no_grad()
def generate(
    denoiser: Denoiser,
    prompts: Sequence[str],
    seeds: Sequence[int],
    sampling: Sampling,
    batch: Batching,
    progress: Progress = SILENT,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (uint8 images (N, 3, H, W), scaled latents (N, C, h, w)), both on the CPU.

    See `generate_latents`.
    """
    x = generate_latents(denoiser, prompts, seeds, sampling, batch, progress)
    return denoiser.decode(x), x.float().cpu()


@torch.no_grad()
def generate_latents(
    denoiser: Denoiser,
    prompts: Sequence[str],
    seeds: Sequence[int],
    sampling: Sampling,
    batch: Batching,
    progress: Progress = SILENT,
) -> torch.Tensor:
    """Return scaled latents (N, C, h, w) float32 on the model's device.

    Image i starts from the noise of (seeds[i], prompts[i]) alone, whatever else is in the batch.
    `progress` advances by the UNet rows of each step.
    """
    x = torch.stack([gaussian(denoiser.latent_shape, s, f"sample|{p}") for p, s in zip(prompts, seeds, strict=True)])
    x = x.to(denoiser.device)
    cond = _guided(denoiser, prompts, sampling)
    times = denoiser.schedule.drawn_timesteps(sampling.steps)
    for t, t_next in zip(times, [*times[1:], None], strict=True):
        rows = x.repeat(len(cond) // len(x), 1, 1, 1).to(denoiser.dtype)
        steps = torch.full((len(cond),), t, device=x.device)
        predict = lambda s: denoiser.predict(rows[s], steps[s], cond.rows(range(s.start, s.stop)))  # noqa: B023, E731
        prediction = torch.cat(batch.run(len(rows), predict)).float()
        x = _ddim_step(denoiser.schedule, x, prediction, t, t_next, sampling.guidance_scale)
        progress.advance(len(cond))
    return x


def _guided(denoiser: Denoiser, prompts: Sequence[str], sampling: Sampling) -> Conditioning:
    if sampling.guidance_scale == 1:
        return denoiser.encode_text(prompts)
    return denoiser.encode_guided(prompts, [sampling.negative] * len(prompts))


def _ddim_step(
    schedule: Schedule, x: torch.Tensor, prediction: torch.Tensor, t: int, t_next: int | None, guidance_scale: float
) -> torch.Tensor:
    """Return x one DDIM step (Song et al. 2021, eq. 12 with sigma 0) closer to the clean latents, in float32.

    Twice as many predictions as latents are those with the prompt, then those without.
    """
    if len(prediction) == 2 * len(x):
        with_prompt, without = prediction.chunk(2)
        prediction = without + guidance_scale * (with_prompt - without)
    x0, eps = schedule.split(x, prediction, torch.full((len(x),), t, device=x.device))
    if t_next is None:
        return x0
    return schedule.noise(x0, eps, torch.full((len(x),), t_next, device=x.device))
