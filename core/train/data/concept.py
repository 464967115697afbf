"""The concept's pictures as latents in memory, and the rows that each step sees of them."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from ...errors import UsageError
from ...model.diffusion.encodings import Encodings
from ...pictures import cover, open_picture
from .buckets import bucket_shapes, epoch_order, nearest_bucket
from .images import TrainingImage
from .rows import Draw, Rows

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..plan import TrainPlan

_SWEEP_SEED = 5_000_011
"""Seed of the noise of held-out pictures."""


class ConceptData:
    """Training pictures in aspect-ratio buckets, encoded once; every batch has exactly `plan.batch` rows."""

    def __init__(self, encodings: Encodings, pictures: Sequence[torch.Tensor], captions: Sequence[str],
                 repeats: Sequence[int], plan: "TrainPlan") -> None:  # fmt: skip
        """Encode uint8 `pictures` (3, H, W), already in the shapes of their buckets."""
        if not len(pictures) == len(captions) == len(repeats) > 0:
            raise UsageError("Training needs at least one picture, and a caption for each.")
        denoiser = encodings.denoiser
        self._plan, self._schedule, self._device = plan, denoiser.schedule, denoiser.device
        self._captions, self._repeats = tuple(captions), list(repeats)
        self._latents = encodings.pictures(pictures, mirrored=plan.flip)
        shapes = [(p.shape[1], p.shape[2]) for p in pictures]
        self._order = lru_cache(4)(lambda epoch: epoch_order(shapes, self._repeats, plan.batch, plan.seed, epoch))
        self.batches = len(self._order(0))

    @property
    def captions(self) -> tuple[str, ...]:
        """The captions, picture by picture."""
        return self._captions

    def rows(self, draw: Draw) -> Rows:
        """Return the concept's rows of one UNet batch."""
        plan = self._plan
        number = draw.step * plan.accumulate + draw.part
        picked = self._order(number // self.batches)[number % self.batches]
        rng = draw.generator("concept")
        sides = [0] * len(picked)
        if plan.flip:
            sides = [1 if rng.random() < 0.5 else 0 for _ in picked]  # the picture, or its mirror image
        x0 = torch.stack([self._latents[i][side] for i, side in zip(picked, sides, strict=True)])
        captions = ["" if rng.random() < plan.caption_dropout else self._captions[i] for i in picked]
        shape = tuple(x0.shape[1:])
        eps = draw.noise(len(x0), shape, "concept")
        if plan.noise_offset:
            eps = eps + plan.noise_offset * draw.noise(len(x0), (shape[0], 1, 1), "offset")
        t = draw.timesteps(len(x0), self._schedule, "concept")
        return Rows(x0.to(self._device), eps.to(self._device), t.to(self._device), tuple(captions))

    def sweep(self, number: int) -> Iterator[Rows]:
        """Yield every picture once, unmirrored and with its caption, in batches of one shape.

        Noise and timesteps depend on `number` alone, so that trainings with other seeds can be compared.
        """
        shapes: dict[torch.Size, list[int]] = {}
        for i, views in enumerate(self._latents):
            shapes.setdefault(views.shape[1:], []).append(i)
        size = self._plan.batch
        chunks = [group[i : i + size] for group in shapes.values() for i in range(0, len(group), size)]
        for part, chunk in enumerate(chunks):
            draw = Draw(_SWEEP_SEED, number, part)
            x0 = torch.stack([self._latents[i][0] for i in chunk])
            eps = draw.noise(len(x0), tuple(x0.shape[1:]), "sweep")
            t = draw.timesteps(len(x0), self._schedule, "sweep")
            captions = tuple(self._captions[i] for i in chunk)
            yield Rows(x0.to(self._device), eps.to(self._device), t.to(self._device), captions)


def load_pictures(images: Sequence[TrainingImage], resolution: int, bucket: int) -> list[torch.Tensor]:
    """Return the pictures (3, H, W) uint8, each cut to its nearest bucket."""
    shapes = bucket_shapes(resolution, bucket)
    pictures = []
    for image in images:
        pictures.append(in_bucket(open_picture(image.path), shapes))
    return pictures


def in_bucket(picture: "Image", shapes: tuple[tuple[int, int], ...]) -> torch.Tensor:
    """Return a picture (3, H, W) uint8, cut to the nearest of the buckets' shapes (H, W)."""
    height, width = nearest_bucket(picture.height, picture.width, shapes)
    return torch.from_numpy(cover(picture, height, width))
