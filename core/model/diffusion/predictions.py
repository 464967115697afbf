"""What a denoiser predicts on noised latents at evenly spaced timesteps: how its function is compared, unsampled."""

from collections.abc import Sequence

import numpy as np
import torch

from ...plan.screening.block_design import Cells
from ...progress import SILENT, Progress
from .batch import Batching
from .denoiser import Conditioning, Denoiser
from .noise import at_least_float32, gaussian
from .schedule import asked_timesteps


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
    drawn: int = 0,
) -> np.ndarray:
    """Return the network's predictions (T, C, h, w) float32 for one latent (C, h, w) at `count` timesteps.

    Which these are, `asked_timesteps` says, by the steps `drawn` that the base was distilled to. `cond` is the one row
    of the prompt; the noise depends on (seed, item, timestep) only.
    """
    times = asked_timesteps(count, denoiser.schedule, drawn)
    latents = at_least_float32(latents)
    noise = torch.stack([gaussian(tuple(latents.shape), seed, f"drift|{item}", *time) for time in times])
    noise = noise.to(latents.device, latents.dtype)
    t = torch.tensor([t for t, _ in times], device=latents.device)
    x_t = denoiser.schedule.noise(latents.expand_as(noise), noise, t).to(denoiser.dtype)
    predict = lambda rows: denoiser.predict(x_t[rows], t[rows], cond.rows([0] * len(t[rows]))).float().cpu()  # noqa: E731
    parts = batch.run(count, predict)
    progress.advance(count)
    return torch.cat(parts).numpy()


@torch.no_grad()
def cell_predictions(
    denoiser: Denoiser,
    pictures: torch.Tensor,
    asked: Sequence[Sequence[str]],
    items: Sequence[str],
    cells: Cells,
    times: Sequence[tuple[int, int]],
    seed: int,
    batch: Batching,
    progress: Progress = SILENT,
) -> np.ndarray:
    """Return predictions (N, R, C, h, w) float32 of N items, each on R noised pictures of latents (P, C, h, w).

    `asked` (N, R) are the prompts of the rows. `cells` (N, R) say which of the times (see `asked_timesteps`) and which
    picture; the noise depends on (seed, item, picture, time) only, so that other prompts see the same.
    """
    at = [times[place] for place in cells.timestep.ravel()]
    chosen, rows = cells.picture.ravel(), cells.picture.shape[1]
    latents = at_least_float32(pictures)[torch.from_numpy(chosen).to(pictures.device)]
    named = [f"screen|{picture}|{items[i // rows]}" for i, picture in enumerate(chosen)]
    shape = tuple(pictures.shape[1:])
    noise = torch.stack([gaussian(shape, seed, item, *time) for item, time in zip(named, at, strict=True)])
    t = torch.tensor([t for t, _ in at], device=latents.device)
    x_t = denoiser.schedule.noise(latents, noise.to(latents.device, latents.dtype), t).to(denoiser.dtype)
    flat = [prompt for prompts in asked for prompt in prompts]
    place = {prompt: i for i, prompt in enumerate(dict.fromkeys(flat))}
    cond, owner = denoiser.encode_text(list(place)), np.array([place[prompt] for prompt in flat])
    predict = lambda part: denoiser.predict(x_t[part], t[part], cond.rows(owner[part])).float().cpu()  # noqa: E731
    parts = batch.run(len(owner), predict)
    progress.advance(len(owner))
    return torch.cat(parts).numpy().reshape(len(items), rows, *shape)
