"""The concept's pictures as latents in memory, and the rows that each step sees of them."""

from collections.abc import Sequence
from functools import lru_cache

import torch

from ..denoiser import Denoiser
from ..errors import UsageError
from ..noise import at_least_float32
from ..pictures import cover, open_picture
from .buckets import bucket_shapes, epoch_order, nearest_bucket
from .images import TrainingImage
from .plan import TrainPlan
from .rows import Draw, Rows


class ConceptData:
    """Training pictures in aspect-ratio buckets, encoded once; every batch has exactly `plan.batch` rows."""

    def __init__(self, denoiser: Denoiser, pictures: Sequence[torch.Tensor], captions: Sequence[str],
                 repeats: Sequence[int], plan: TrainPlan) -> None:  # fmt: skip
        """Encode uint8 `pictures` (3, H, W), already in the shapes of their buckets."""
        if not len(pictures) == len(captions) == len(repeats) > 0:
            raise UsageError("Training needs at least one picture, and a caption for each.")
        self._plan, self._steps, self._device = plan, denoiser.schedule.steps, denoiser.device
        self._captions, self._repeats = tuple(captions), list(repeats)
        self._latents = [_encode(denoiser, picture, plan.flip) for picture in pictures]
        shapes = [(p.shape[1], p.shape[2]) for p in pictures]
        self._order = lru_cache(4)(lambda epoch: epoch_order(shapes, self._repeats, plan.batch, plan.seed, epoch))
        self.batches = len(self._order(0))

    @property
    def captions(self) -> tuple[str, ...]:
        """The captions, picture by picture."""
        return self._captions

    @property
    def epoch_size(self) -> int:
        """Pictures seen in one epoch, repeats included."""
        return sum(self._repeats)

    def rows(self, draw: Draw) -> Rows:
        """Return the concept's rows of one UNet batch."""
        plan = self._plan
        number = draw.step * plan.accumulate + draw.part
        picked = self._order(number // self.batches)[number % self.batches]
        rng = draw.generator("concept")
        mirrored = [int(plan.flip and rng.random() < 0.5) for _ in picked]
        x0 = torch.stack([self._latents[i][side] for i, side in zip(picked, mirrored, strict=True)])
        captions = ["" if rng.random() < plan.caption_dropout else self._captions[i] for i in picked]
        shape = tuple(x0.shape[1:])
        eps = draw.noise(len(x0), shape, "concept")
        if plan.noise_offset:
            eps = eps + plan.noise_offset * draw.noise(len(x0), (shape[0], 1, 1), "offset")
        t = draw.timesteps(len(x0), self._steps, "concept")
        return Rows(x0.to(self._device), eps.to(self._device), t.to(self._device), tuple(captions))


def _encode(denoiser: Denoiser, picture: torch.Tensor, flip: bool) -> torch.Tensor:
    """Return the latents (1 or 2, C, h, w) float32 on the CPU of a picture and, with `flip`, of its mirror image."""
    views = [picture, picture.flip(2)] if flip else [picture]
    return at_least_float32(denoiser.encode_image(torch.stack(views))).cpu()


def load_pictures(images: Sequence[TrainingImage], resolution: int, bucket: int) -> list[torch.Tensor]:
    """Return the pictures (3, H, W) uint8, each cut to its nearest bucket."""
    shapes = bucket_shapes(resolution, bucket)
    pictures = []
    for image in images:
        opened = open_picture(image.path)
        height, width = nearest_bucket(opened.height, opened.width, shapes)
        pictures.append(torch.from_numpy(cover(opened, height, width)))
    return pictures
