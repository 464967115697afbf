"""Did the function change where it should not? Tuned against base on the same noised latents; no sampling."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ..batch import Batch
from ..denoiser import Conditioning, Denoiser
from ..measurement import Estimate, Measurement, Part
from ..noise import at_least_float32, gaussian
from ..schedule import spaced_timesteps
from ..statistics import ratio_estimate

VERSION = 1

BANDS = 4
"""Timestep bands of the breakdown, from the cleanest quarter to the noisiest."""


@torch.no_grad()
def predictions(
    denoiser: Denoiser,
    latents: torch.Tensor,
    item: str,
    cond: Conditioning,
    count: int,
    seed: int,
    batch: Batch,
    on_rows: Callable[[int], None] = lambda rows: None,
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
    on_rows(count)
    return torch.cat(parts).numpy()


@dataclass(frozen=True)
class DriftRows:
    """Squared norms of every prediction and of its change."""

    groups: tuple[str, ...]
    """Group of each of the P prompts."""
    change: np.ndarray
    """(P, T) squared norm of tuned minus base prediction."""
    norm: np.ndarray
    """(P, T) squared norm of the base prediction."""
    floor: np.ndarray
    """(P', T) squared norm of the change when the base is run again in other batches, for the first P' prompts."""


def squared_norms(a: np.ndarray) -> np.ndarray:
    """Return the squared norm (T,) of each prediction (T, C, h, w), summed in float64."""
    return np.square(a.astype(np.float64)).reshape(len(a), -1).sum(axis=1)


def summarise_drift(rows: DriftRows) -> Measurement:
    """Return E |tuned - base|^2 / E |base|^2 overall, by timestep band and by prompt group.

    The prompt is the independent unit. The floor is what floating-point arithmetic alone changes.
    """
    floor = float(rows.floor.sum() / rows.norm[: len(rows.floor)].sum())
    overall = ratio_estimate(rows.change.sum(1), rows.norm.sum(1), "relative")
    return Measurement(
        "denoiser_drift",
        VERSION,
        headline="drift",
        estimates={"drift": _floored(overall, floor)},
        breakdowns={"timestep": _bands(rows), "prompt_group": _groups(rows)},
        facts={"prompts": len(rows.groups), "timesteps": rows.change.shape[1]},
    )


def _floored(estimate: Estimate, floor: float | None) -> Estimate:
    # A squared norm cannot be negative, whatever a symmetric interval says.
    return Estimate(estimate.value, max(0.0, estimate.low), estimate.high, estimate.n, estimate.unit, floor)


def _bands(rows: DriftRows) -> tuple[Part, ...]:
    count = rows.change.shape[1]
    bands = min(BANDS, count)
    edges = [round(i * count / bands) for i in range(bands + 1)]
    parts = []
    for first, last in pairwise(edges):
        estimate = ratio_estimate(rows.change[:, first:last].sum(1), rows.norm[:, first:last].sum(1), "relative")
        label = f"{round(1000 * first / count)}-{round(1000 * last / count)}"
        parts.append(Part(label, _floored(estimate, None)))
    return tuple(parts)


def _groups(rows: DriftRows) -> tuple[Part, ...]:
    names = sorted(set(rows.groups))
    member = {name: np.array([g == name for g in rows.groups]) for name in names}
    return tuple(
        Part(
            name,
            _floored(
                ratio_estimate(rows.change[member[name]].sum(1), rows.norm[member[name]].sum(1), "relative"),
                None,
            ),
        )
        for name in names
    )
