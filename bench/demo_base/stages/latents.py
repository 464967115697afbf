"""The train pictures as autoencoder latents, encoded once and kept in shards."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..world.drawing import colorize
from ..world.world import Scene, draw_scene
from .stage import Run, step_generators

SHARD = 2000
SHARDS = 30
"""60,000 pictures: every train picture once."""
CHUNK = 50
"""Pictures that are encoded at once."""
PLAIN = 255
"""Stands for no second colour where scenes are kept as bytes."""


@dataclass(frozen=True)
class Latents:
    """Posterior of every encoded picture, not yet scaled, and what the picture shows."""

    mean: np.ndarray
    """(N, 4, 12, 12) float16."""
    std: np.ndarray
    """(N, 4, 12, 12) float16."""
    scenes: np.ndarray
    """(N, 5) uint8: label, colour, background, pattern, second colour or PLAIN."""

    def sample(self, rows: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        """Return (len(rows), 4, 12, 12) float32 latents drawn from the posterior."""
        mean, std = (torch.from_numpy(part[rows]).float() for part in (self.mean, self.std))
        return mean + std * torch.randn(mean.shape, generator=generator)

    def scene(self, row: int) -> Scene:
        """Return what the picture of that row shows."""
        label, color, background, pattern, second = (int(i) for i in self.scenes[row])
        return Scene(label, color, background, pattern, None if second == PLAIN else second)


def encode_train(vae, images: np.ndarray, labels: np.ndarray, run: Run) -> Latents:
    """Return the latents of the train pictures; shards that the work folder already holds are not encoded again."""
    folder = run.work / "latents"
    folder.mkdir(parents=True, exist_ok=True)
    shards = max(1, round(SHARDS * run.share))
    for shard in run.workers.mine(shards):
        if not (folder / f"{shard:02d}.npz").exists():
            write_shard(vae, images, labels, folder, shard)
    run.workers.wait()
    return read_latents(folder, shards)


def write_shard(vae, images: np.ndarray, labels: np.ndarray, folder: Path, shard: int) -> None:
    """Encode one shard, a function of its number alone, and leave it in the folder."""
    rng, _ = step_generators(3, shard)
    rows = np.arange(shard * SHARD, (shard + 1) * SHARD) % len(images)
    scenes = [draw_scene(int(labels[row]), rng) for row in rows]
    flip = rng.random(len(rows)) < 0.5
    gray = np.where(flip[:, None, None], images[rows][:, :, ::-1], images[rows])
    chunks = [slice(i, i + CHUNK) for i in range(0, SHARD, CHUNK)]
    mean, std = zip(*(_encode(vae, colorize(gray[c], scenes[c], rng)) for c in chunks), strict=True)
    partial = folder / f"{shard:02d}.{os.getpid()}.partial.npz"
    np.savez(partial, mean=np.concatenate(mean), std=np.concatenate(std), scenes=_as_array(scenes))
    partial.replace(folder / f"{shard:02d}.npz")
    print("latents", shard, flush=True)


@torch.no_grad()
def _encode(vae, pictures: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    posterior = vae.encode(pictures * 2 - 1).latent_dist
    return posterior.mean.numpy().astype(np.float16), posterior.std.numpy().astype(np.float16)


def _as_array(scenes: list[Scene]) -> np.ndarray:
    rows = [(s.label, s.color, s.background, s.pattern, PLAIN if s.second is None else s.second) for s in scenes]
    return np.array(rows, np.uint8)


def read_latents(folder: Path, shards: int) -> Latents:
    """Return the first shards of a folder as one record."""
    parts = [np.load(folder / f"{shard:02d}.npz") for shard in range(shards)]
    return Latents(*(np.concatenate([part[name] for part in parts]) for name in ("mean", "std", "scenes")))
