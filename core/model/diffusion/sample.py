"""Seeded image generation: deterministic solvers on any Denoiser, the same noise for base and tuned."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from ...plan.solvers import DDIM
from ...progress import SILENT, Progress
from .batch import Batching
from .denoiser import Conditioning, Denoiser, Guiding, classifier_free
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
    solver: str = field(default=DDIM, repr=False)  # only plans ask for another, which their caches know
    """One of SOLVERS."""

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
    course = _Course(denoiser, sampling)
    for t, t_next in zip(times, [*times[1:], None], strict=True):
        rows = x.repeat(len(cond) // len(x), 1, 1, 1).to(denoiser.dtype)
        steps = torch.full((len(cond),), t, device=x.device)
        predict = lambda s: denoiser.predict(rows[s], steps[s], cond.rows(range(s.start, s.stop)))  # noqa: B023, E731
        prediction = torch.cat(batch.run(len(rows), predict)).float()
        x = course.step(x, prediction, t, t_next)
        progress.advance(len(cond))
    return x


def texts_of(prompts: Iterable[str], sampling: Sampling) -> Iterator[tuple[str, ...]]:
    """Yield what a model reads to draw each prompt: it, and what guidance leads away from, if it does."""
    negative = () if sampling.guidance_scale == 1 else (sampling.negative,)
    return ((prompt, *negative) for prompt in prompts)


def _guided(denoiser: Denoiser, prompts: Sequence[str], sampling: Sampling) -> Conditioning:
    if sampling.guidance_scale == 1:
        return denoiser.encode_text(prompts)
    return denoiser.encode_guided(prompts, [sampling.negative] * len(prompts))


class _Course:
    """The course of latents from noise to pictures, in float32."""

    def __init__(self, denoiser: Denoiser, sampling: Sampling) -> None:
        self._schedule, self._guidance = denoiser.schedule, sampling.guidance_scale
        self._guided = denoiser.guided if isinstance(denoiser, Guiding) else classifier_free
        self._looks_back = sampling.solver != DDIM
        self._before: tuple[torch.Tensor, float] | None = None

    def step(self, x: torch.Tensor, prediction: torch.Tensor, t: int, t_next: int | None) -> torch.Tensor:
        """Return x one step closer to the clean latents, which are what it is after the last.

        Twice as many predictions as latents are those with the prompt, then those without. A step is one of DDIM (Song
        et al. 2021, eq. 12 with sigma 0), towards the clean latents that the prediction stands for. DPM-Solver++(2M)
        (Lu et al. 2022, algorithm 2) goes towards those half a step ahead, on the line through these and the last's.
        """
        if len(prediction) == 2 * len(x):
            with_prompt, without = prediction.chunk(2)
            prediction = self._guided(with_prompt, without, self._guidance)
        x0, eps = self._schedule.split(x, prediction, torch.full((len(x),), t, device=x.device))
        if t_next is None:
            return x0
        if self._looks_back:
            x0, eps = self._ahead(x, x0, eps, t, t_next)
        return self._schedule.noise(x0, eps, torch.full((len(x),), t_next, device=x.device))

    def _ahead(
        self, x: torch.Tensor, x0: torch.Tensor, eps: torch.Tensor, t: int, t_next: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the clean latents half a step ahead, and the noise that is then in x."""
        length = _log_ratio(self._schedule, t_next) - _log_ratio(self._schedule, t)
        before, self._before = self._before, (x0, length)
        if before is None:
            return x0, eps
        last, last_length = before
        x0 = x0 + length / (2 * last_length) * (x0 - last)
        signal, sigma = float(self._schedule.signal[t]), float(self._schedule.sigma[t])
        return x0, (x - signal * x0) / sigma


def _log_ratio(schedule: Schedule, t: int) -> float:
    """Return half the logarithm of the signal-to-noise ratio, by which steps are measured; -inf in pure noise."""
    signal, sigma = float(schedule.signal[t]), float(schedule.sigma[t])
    return math.log(signal / sigma) if signal else -math.inf
