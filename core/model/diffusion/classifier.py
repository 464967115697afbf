"""The Diffusion Classifier: which prompt explains an image best, by the model's own denoising error.

After Li et al. (ICCV 2023, arXiv 2303.16203): the predicted class is the prompt under which the denoising error,
averaged over timesteps and noise shared by all classes, is smallest.
"""

from collections.abc import Sequence

import numpy as np
import torch

from ...plan.audit_plan import Stage, stage_positions
from ...progress import SILENT, Progress
from .batch import Batching
from .denoiser import Conditioning, Denoiser, overflow
from .noise import at_least_float32, gaussian
from .schedule import asked_timesteps


@torch.no_grad()
def image_errors(
    denoiser: Denoiser,
    latents: torch.Tensor,
    items: Sequence[str],
    classes: Conditioning,
    stages: tuple[Stage, ...],
    loss: str,
    seed: int,
    batch: Batching,
    progress: Progress = SILENT,
    drawn: int = 0,
) -> np.ndarray:
    """Return the denoising errors (N, K, T) float32 of N images' latents (N, C, h, w) under each of K classes.

    T counts the last stage's timesteps in ascending order (see `asked_timesteps`: `drawn` are the steps that the base
    was distilled to); what a class did not live to see is NaN. The noise depends on (seed, item, timestep) only: not
    on the class, the batch size or the other images.
    """
    times = asked_timesteps(stages[-1].samples, denoiser.schedule, drawn)
    timesteps = [t for t, _ in times]
    latents = at_least_float32(latents)
    noises = [
        torch.stack([gaussian(tuple(x.shape), seed, item, *time) for time in times])
        for x, item in zip(latents, items, strict=True)
    ]
    noise = torch.stack(noises).to(latents.device, latents.dtype)
    errors = np.full((len(items), len(classes), len(timesteps)), np.nan, np.float32)
    alive = [np.arange(len(classes))] * len(items)
    for stage, positions in zip(stages, stage_positions(stages), strict=True):
        cells = [(n, k, i) for n, those in enumerate(alive) for i in positions for k in those]
        measure = lambda rows: _errors(denoiser, latents, noise, timesteps, classes, cells[rows], loss)  # noqa: B023, E731
        values = torch.cat(batch.run(len(cells), measure)).cpu().numpy()
        _require_finite(values, denoiser.dtype)
        errors[tuple(np.array(cells, int).reshape(-1, 3).T)] = values
        progress.advance(len(cells))
        alive = [_survivors(table, those, stage.keep) for table, those in zip(errors, alive, strict=True)]
    return errors


def images_at_once(classes: int, stages: tuple[Stage, ...], batch: Batching) -> int:
    """Return how many images fill the batch of every worker in the first round: the rows of one alone may be fewer."""
    return max(1, batch.size * batch.workers // (classes * len(stage_positions(stages)[0])))


def _errors(
    denoiser: Denoiser,
    latents: torch.Tensor,
    noise: torch.Tensor,
    timesteps: list[int],
    classes: Conditioning,
    cells: list[tuple[int, int, int]],
    loss: str,
) -> torch.Tensor:
    """Return the error of each (image, class, timestep position) cell as float32 (len(cells),)."""
    images, rows, positions = map(list, zip(*cells, strict=True))
    x0, eps = latents[images], noise[images, positions]
    t = torch.tensor([timesteps[i] for i in positions], device=latents.device)
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
