"""Latents that the base draws for a training or of a concept, each drawn once and kept on disk."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ... import families
from ...disk.store import SampleStore
from ...disk.stores import open_cached
from ...progress import Progress
from .batch import Batching
from .denoiser import Denoiser, overflow
from .sample import Sampling, generate_latents

SAMPLING = Sampling(steps=20, guidance_scale=5.0)
"""A little less than people draw with: what is drawn is noised again, so that its finish does not count."""
SEED = 770_000_000
"""Their seeds start here, far from those of what audits compare by prompts."""


def sampling_of(usual: families.Drawing, negative: str = "") -> Sampling:
    """Return how a base draws that people draw with in a way; guidance leads away from `negative`."""
    guidance, steps = usual.guidance_scale or SAMPLING.guidance_scale, usual.steps or SAMPLING.steps
    return replace(SAMPLING, guidance_scale=guidance, steps=steps, negative=negative)


class LatentCache:
    """The base's drawings of prompts; the adapter must be off while it draws."""

    def __init__(
        self,
        denoiser: Denoiser,
        cache: Path,
        batch: Batching,
        progress: Progress,
        negative: str = "",
        usual: families.Drawing = families.USUAL,
    ) -> None:
        """Take what draws and how people draw with it; guidance leads away from `negative`."""
        self._denoiser, self._batch, self._progress = denoiser, batch, progress
        self._sampling = sampling_of(usual, negative)
        key = f"{denoiser.digest()}|{denoiser.dtype}|{denoiser.latent_shape}|{self._sampling}|{SEED}"
        key += f"|{negative}" if negative else ""
        self._path = cache / f"drawings-{hashlib.sha256(key.encode()).hexdigest()[:32]}.sqlite"

    def latents(self, title: str, prompts: Sequence[str]) -> torch.Tensor:
        """Return latents (N, C, h, w) float32 on the CPU; a prompt that is there again is drawn with another seed."""
        draws = _numbered(prompts)
        rows = self._denoiser.latent_shape
        with open_cached(self._path) as store:
            missing = [draw for draw in draws if not store.has("latents", draw_name(draw))]
            self._progress.stage(title)
            self._progress.skip((len(draws) - len(missing)) * self._sampling.rows)
            size = max(1, self._batch.size * self._batch.workers // 2)
            for start in range(0, len(missing), size):
                self._draw(store, missing[start : start + size])
            found = [store.get("latents", draw_name(draw)) for draw in draws]
        return torch.stack([torch.from_numpy(sample["latents"]).view(rows) for sample in found if sample is not None])

    def _draw(self, store: SampleStore, draws: Sequence[tuple[str, int]]) -> None:
        prompts, seeds = [p for p, _ in draws], [s for _, s in draws]
        latents = generate_latents(self._denoiser, prompts, seeds, self._sampling, self._batch, self._progress)
        if not latents.isfinite().all():
            dtype = self._denoiser.dtype
            raise overflow(f"The base drew latents that are not finite ({dtype})", dtype)
        values = latents.float().cpu().numpy()
        store.put("latents", [(draw_name(draw), {"latents": value}) for draw, value in zip(draws, values, strict=True)])


def _numbered(prompts: Sequence[str]) -> list[tuple[str, int]]:
    """Return (prompt, seed): the seed counts how often the prompt came before."""
    seen: Counter[str] = Counter()
    draws = []
    for prompt in prompts:
        draws.append((prompt, SEED + seen[prompt]))
        seen[prompt] += 1
    return draws


def draw_name(draw: tuple[str, int]) -> str:
    """Return the item of a store that a (prompt, seed) is."""
    return f"{draw[1]}|{draw[0]}"
