"""The forward process: the one definition of noised latents and of the target of a prediction."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from ...errors import UsageError

PREDICTION_TYPES = ("epsilon", "v_prediction", "flow")

LEAST_SIGNAL = 1e-3
"""Least factor of the picture under which a prediction of the noise still says something of the picture.

The picture is (x_t - sigma eps) / signal: half precision rounds eps by about this much, so below it the quotient is
rounding alone, and at 0 there is none. Stable Diffusion's least is 0.068.
"""


@dataclass(frozen=True)
class Schedule:
    """A diffusion or flow process over integer timesteps 0 .. T-1, the last one the noisiest."""

    signal: torch.Tensor
    """(T,) float64 factor of the clean latents at each timestep."""
    sigma: torch.Tensor
    """(T,) float64 factor of the noise at each timestep."""
    prediction_type: str
    """What the network predicts: "epsilon", "v_prediction" or "flow" (noise minus clean latents)."""
    log_shift: float = 0.0
    """Logarithm of the shift by which a flow's timesteps are even before it, where samplers take others than every so
    many-th of them."""
    shift_growth: float = 0.0
    """By how much that grows with each step of a sampler; the sigmas here are those of `SHIFT_STEPS`."""
    terminal: float = 0.0
    """Share of the noise to which a sampler stretches its times so that the last step begins there; 0 for none."""

    def __post_init__(self) -> None:
        if self.prediction_type not in PREDICTION_TYPES:
            raise ValueError(f"prediction_type {self.prediction_type!r} is not one of {PREDICTION_TYPES}")
        if self.prediction_type == "epsilon" and not float(self.signal.min()) > LEAST_SIGNAL:
            raise UsageError(
                "The base is said to predict the noise (epsilon) and to end in pure noise (zero terminal SNR). There a "
                "predicted noise says nothing of the picture, so one of the two is not true: models of that schedule "
                "predict v. Say v_prediction where the base says what it predicts, or turn rescale_betas_zero_snr (in "
                "a checkpoint, the marker ztsnr) off."
            )

    @property
    def steps(self) -> int:
        """Number of timesteps T."""
        return len(self.signal)

    def noise(self, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return x_t = signal_t x0 + sigma_t eps for latents (N, ...) and timesteps t (N,)."""
        signal, sigma = self.factors(t, x0)
        return signal * x0 + sigma * eps

    def target(self, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return what a perfect network would predict for the noised latents."""
        if self.prediction_type == "epsilon":
            return eps
        if self.prediction_type == "flow":
            return eps - x0
        signal, sigma = self.factors(t, x0)
        return signal * eps - sigma * x0

    def split(self, x_t: torch.Tensor, prediction: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the (x0, eps) that a prediction at x_t stands for; the inverse of `noise` and `target`."""
        signal, sigma = self.factors(t, x_t)
        if self.prediction_type == "epsilon":
            return (x_t - sigma * prediction) / signal, prediction
        if self.prediction_type == "v_prediction":
            return signal * x_t - sigma * prediction, sigma * x_t + signal * prediction
        return x_t - sigma * prediction, x_t + signal * prediction

    def factors(self, t: torch.Tensor, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (signal_t, sigma_t) shaped and typed to multiply latents like `like`."""
        shape = (-1,) + (1,) * (like.ndim - 1)
        t = t.to(self.signal.device)
        # Rounded before it is moved: not every device has float64.
        signal, sigma = (factor[t].to(like.dtype).to(like.device) for factor in (self.signal, self.sigma))
        return signal.view(shape), sigma.view(shape)

    def timesteps_at(self, shares: torch.Tensor) -> torch.Tensor:
        """Return the timesteps (N,) of a flow at shares (N,) float64 of its path, in 0 .. 1, even before its shift.

        Where the shift depends on the steps of a sampler, it is that of `FINEST_STEPS`.
        """
        moved = shifted(shares, self.shift_growth * (FINEST_STEPS - SHIFT_STEPS))
        return (moved * self.steps).long().clamp(max=self.steps - 1)

    def drawn_timesteps(self, count: int) -> list[int]:
        """Return the `count` descending timesteps of a picture: evenly spaced, from the noisiest one.

        Where the shift depends on `count`, or they are stretched, they are those that are nearest to its sigmas.
        """
        if not self.shift_growth and not self.terminal:
            return trailing_timesteps(count, self.steps)
        log_shift = self.log_shift + self.shift_growth * (count - SHIFT_STEPS)
        sigmas = stretched([shifted(1 - i / count, log_shift) for i in range(count)], self.terminal)
        even = [shifted(sigma, -self.log_shift) for sigma in sigmas]
        return [max(round(self.steps * share), 1) - 1 for share in even]


def trailing_timesteps(count: int, steps: int) -> list[int]:
    """Return `count` descending timesteps that start at the noisiest one (Lin et al. 2024, "trailing")."""
    return [round(steps - i * steps / count) - 1 for i in range(count)]


SHIFT_STEPS = 50
"""Steps of a sampler for which the sigmas of a flow are written down whose shift depends on them: as many as FLUX.2
was made for, and those of ComfyUI's one shift for it."""
FINEST_STEPS = 200
"""Most steps for which FLUX.2's shift was fitted: it is FLUX.1's there, with which musubi-tuner trains both."""

_Share = TypeVar("_Share", float, torch.Tensor)


def shifted(share: _Share, log_shift: float) -> _Share:
    """Return the share of the noise in (0, 1] after a shift to the noisy end (Esser et al. 2024, section 5.3.2)."""
    factor = math.exp(log_shift)
    return factor * share / (1 + (factor - 1) * share)


def stretched(sigmas: Sequence[float], terminal: float) -> list[float]:
    """Return falling shares of the noise that begin at 1, stretched so that the last one is `terminal`; 0 for as is.

    What is left of the picture is multiplied (ltx_video's rf.py, as in diffusers): one share, which is 1, stays.
    """
    if not terminal or len(sigmas) < 2:
        return list(sigmas)
    factor = (1 - terminal) / (1 - sigmas[-1])
    return [1 - (1 - sigma) * factor for sigma in sigmas]


def rectified_flow(steps: int, log_shift: float, shift_growth: float = 0.0, terminal: float = 0.0) -> Schedule:
    """Return the straight path from latents to noise, in `steps` timesteps that are even before the shift."""
    sigmas = [shifted((t + 1) / steps, log_shift) for t in range(steps)]
    sigma = torch.tensor(sigmas, dtype=torch.float64)
    return Schedule(1 - sigma, sigma, "flow", log_shift, shift_growth, terminal)


def variance_preserving(alphas_cumprod: torch.Tensor, prediction_type: str) -> Schedule:
    """Return the schedule of a DDPM with cumulative products (T,) of alphas (Ho et al. 2020, eq. 4)."""
    alphas = alphas_cumprod.detach().double().cpu()
    return Schedule(alphas.sqrt(), (1 - alphas).sqrt(), prediction_type)


def zero_terminal(alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """Return cumulative products (T,) of alphas, rescaled so that the last step is pure noise.

    The first stays, and the last becomes 0 (Lin et al. 2024, arXiv 2305.08891, algorithm 1).
    """
    roots = alphas_cumprod.double().sqrt()
    first, last = roots[0], roots[-1]
    return ((roots - last) * first / (first - last)).square()


def asked_timesteps(count: int, schedule: Schedule, drawn: int = 0) -> list[tuple[int, int]]:
    """Return `count` ascending timesteps at which a base is asked, each with the number of its noise.

    They are evenly spaced; of a base that was distilled to `drawn` steps they are its sampler's own, at which alone it
    was trained: as many of them, spread evenly, or each several times, with other noise.
    """
    if not drawn:
        return [(t, 0) for t in spaced_timesteps(count, schedule.steps)]
    own = sorted(schedule.drawn_timesteps(drawn))
    chosen = [own[place] for place in spaced_timesteps(count, drawn)]
    return [(t, chosen[:i].count(t)) for i, t in enumerate(chosen)]


def spaced_timesteps(count: int, steps: int) -> list[int]:
    """Return `count` evenly spaced timesteps, each in the middle of its band (Diffusion Classifier's choice)."""
    return [(2 * i + 1) * steps // (2 * count) for i in range(count)]
