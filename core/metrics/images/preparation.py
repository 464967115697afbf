"""What stands around a network: pictures as its authors prescribe them, and the one output that counts."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Prepare = Callable[[torch.Tensor], torch.Tensor]
"""uint8 images (N, 3, H, W) -> what a network takes."""

IMAGENET_STATS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and spread of the training pictures by channel, as torchvision's networks have them."""


def resize_crop(images: torch.Tensor, edge: int, size: int) -> torch.Tensor:
    """Return uint8 images (N, 3, H, W) as float (N, 3, size, size) of 0 to 255, rounded as files would be.

    The shorter side becomes `edge` (bicubic, antialiased, as Pillow does it), then the centre is cut out.
    """
    height, width = images.shape[-2:]
    short = min(height, width)
    shape = [edge * height // short, edge * width // short]
    pixels = images.float()
    if shape != [height, width]:
        pixels = functional.interpolate(pixels, shape, mode="bicubic", antialias=True).round().clamp(0, 255)
    top, left = (round((side - size) / 2) for side in shape)
    return pixels[..., top : top + size, left : left + size]


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
