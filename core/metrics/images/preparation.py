"""What stands around a network: pictures as its authors prescribe them, and the one output that counts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

Prepare = Callable[[torch.Tensor], torch.Tensor]
"""uint8 images (N, 3, H, W) -> what a network takes."""

IMAGENET_STATS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and spread of the training pictures by channel, as torchvision's networks have them."""


def resize_crop(images: torch.Tensor, edge: int, size: int) -> torch.Tensor:
    """Return uint8 images (N, 3, H, W) as float (N, 3, size, size) of 0 to 255, rounded as files would be.

    The shorter side becomes `edge`, by Pillow's bicubic filter, then the centre is cut out. Pillow itself resizes, as
    before networks that were published with it: it rounds once along each edge, and torch's filter in floating point
    makes one level in six another.
    """
    height, width = images.shape[-2:]
    short = min(height, width)
    high, wide = edge * height // short, edge * width // short
    if (high, wide) != (height, width):
        images = torch.stack([_resized(image, wide, high) for image in images])
    top, left = (round((side - size) / 2) for side in (high, wide))
    return images[..., top : top + size, left : left + size].float()


def _resized(image: torch.Tensor, wide: int, high: int) -> torch.Tensor:
    picture = Image.fromarray(image.movedim(0, -1).contiguous().numpy())
    return torch.from_numpy(np.array(picture.resize((wide, high), Image.Resampling.BICUBIC))).movedim(-1, 0)


def preparation(edge: int, size: int, stats: tuple[tuple[float, ...], tuple[float, ...]]) -> Prepare:
    """Return a preparation: the shorter side becomes `edge`, the centre of `size` is cut out, `stats` normalise."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in stats)
    return lambda images: (resize_crop(images, edge, size) / 255 - mean) / std


class Embedding(nn.Module):
    """A network of which only one output counts."""

    def __init__(self, network: nn.Module, pick: Callable[[Any], torch.Tensor]) -> None:
        super().__init__()
        self.network, self.pick = network, pick

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return that output (N, D)."""
        return self.pick(self.network(images))
