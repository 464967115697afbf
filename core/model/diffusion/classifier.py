"""The Diffusion Classifier: which prompt explains an image best, by the model's own denoising error.

After Li et al. (ICCV 2023, arXiv 2303.16203): the predicted class is the prompt under which the denoising error,
averaged over timesteps and noise shared by all classes, is smallest.
"""

import numpy as np
import torch

from ...plan.audit_plan import Stage, stage_positions
from ...progress import SILENT, Progress
from .batch import Batching
from .denoiser import Conditioning, Denoiser, overflow
from .noise import at_least_float32, gaussian
from .schedule import spaced_timesteps


@torch.no_grad()
def image_errors(
    denoiser: Denoiser,
    latents: torch.Tensor,
    item: str,
    classes: Conditioning,
    stages: tuple[Stage, ...],
    loss: str,
    seed: int,
    batch: Batching,
    progress: Progress = SILENT,
) -> np.ndarray:
    """Return the denoising errors (K, T) float32 of one image's latents (C, h, w) under each of K classes.

    T counts the last stage's timesteps in ascending order; what a class did not live to see is NaN. The noise
    depends on (seed, item, timestep) only: not on the class, the batch size or the other images.
    """
    timesteps = spaced_timesteps(stages[-1].samples, denoiser.schedule.steps)
    latents = at_least_float32(latents)
    noises = [gaussian(tuple(latents.shape), seed, item, t) for t in timesteps]
    noise = torch.stack(noises).to(latents.device, latents.dtype)
    errors = np.full((len(classes), len(timesteps)), np.nan, np.float32)
    alive = np.arange(len(classes))
    for stage, positions in zip(stages, stage_positions(stages), strict=True):
        cells = [(k, i) for i in positions for k in alive]
        measure = lambda rows: _errors(denoiser, latents, noise, timesteps, classes, cells[rows], loss)  # noqa: B023, E731
        values = torch.cat(batch.run(len(cells), measure)).cpu().numpy()
        _require_finite(values, denoiser.dtype)
        for (k, i), value in zip(cells, values, strict=True):
            errors[k, i] = value
        progress.advance(len(cells))
        alive = _survivors(errors, alive, stage.keep)
    return errors


def _errors(
    denoiser: Denoiser,
    latents: torch.Tensor,
    noise: torch.Tensor,
    timesteps: list[int],
    classes: Conditioning,
    cells: list[tuple[int, int]],
    loss: str,
) -> torch.Tensor:
    """Return the error of each (class, timestep position) cell as float32 (len(cells),)."""
    rows, positions = [k for k, _ in cells], [i for _, i in cells]
    eps = noise[positions]
    t = torch.tensor([timesteps[i] for i in positions], device=latents.device)
    x0 = latents.expand(len(cells), *latents.shape)
    x_t = denoiser.schedule.noise(x0, eps, t).to(denoiser.dtype)
    prediction = denoiser.predict(x_t, t, classes.rows(rows))
    difference = prediction.float() - denoiser.schedule.target(x0, eps, t).float()
    values = difference.abs() if loss == "l1" else difference.square()
    return values.flatten(1).mean(1)


def _require_finite(values: np.ndarray, dtype: torch.dtype) -> None:
    # Here and not later: in the table of errors, NaN means that a class was eliminated.
    if not np.isfinite(values).all():
        raise overflow("The model returned NaN or infinite values", dtype)


def _survivors(errors: np.ndarray, alive: np.ndarray, keep: int) -> np.ndarray:
    """Return the `keep` classes of smallest mean error so far, in class order; ties go to the lower index."""
    means = np.nanmean(errors[alive].astype(np.float64), axis=1)
    return np.sort(alive[np.argsort(means, kind="stable")[:keep]])
