"""Surfaces and photographs that the autoencoder also sees, so that it can draw what the world has no words for."""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from .drawing import SIZE

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "immunohistochemistry", "retina", "rocket")
"""Colour photographs that scikit-image ships in its package; the others it would have to download."""


def photographs() -> list[torch.Tensor]:
    """Return scikit-image's photographs, (3, H, W) in [0, 1] each."""
    from skimage import data

    pictures = [np.asarray(getattr(data, name)())[..., :3] for name in PHOTOGRAPHS]
    return [torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255 for picture in pictures]


def draw_crop(pictures: list[torch.Tensor], rng: np.random.Generator) -> torch.Tensor:
    """Return (3, 96, 96): a random square of a random photograph, at a random scale, mirrored half of the time."""
    picture = pictures[rng.integers(len(pictures))]
    side = int(SIZE * math.exp(rng.uniform(0, math.log(min(picture.shape[1:]) / SIZE))))
    top, left = (int(rng.integers(edge - side + 1)) for edge in picture.shape[1:])
    square = picture[:, top : top + side, left : left + side]
    square = square.flip(-1) if rng.random() < 0.5 else square
    return F.interpolate(square[None], (SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)[0]


def draw_texture(rng: np.random.Generator) -> torch.Tensor:
    """Return a (3, 96, 96) surface in [0, 1] of a random kind, colours, place, direction and scale."""
    return TEXTURES[rng.integers(len(TEXTURES))](rng)


def _bands(rng: np.random.Generator) -> torch.Tensor:
    """Return stripes of two to five colours, straight or waved."""
    along, across = _grid(rng)
    wave = rng.uniform(0, 9) * torch.sin(along * 2 * math.pi / rng.uniform(24, 60)) if rng.random() < 0.3 else 0
    return _cycle(_colors(rng, int(rng.integers(2, 6))), (across + wave) / rng.uniform(9, 24))


def _cells(rng: np.random.Generator) -> torch.Tensor:
    """Return patches of two to eight colours around random points."""
    count = int(rng.integers(2, 9))
    points = torch.from_numpy(rng.uniform(0, SIZE, (count, 2)).astype(np.float32))
    y, x = _pixels()
    distance = (x[None] - points[:, :1, None]) ** 2 + (y[None] - points[:, 1:, None]) ** 2
    weight = torch.softmax(-distance / 12, dim=0)
    return torch.einsum("khw,kc->chw", weight, _colors(rng, count))


def _spots(rng: np.random.Generator) -> torch.Tensor:
    """Return round spots or rings, on a grid, of one colour on another."""
    along, across = _grid(rng)
    period = rng.uniform(16, 40)
    x, y = (place % period - period / 2 for place in (along, across))
    radius = torch.sqrt(x * x + y * y)
    inside = (rng.uniform(0.2, 0.45) * period - radius + 0.5).clamp(0, 1)
    if rng.random() < 0.3:
        inside = inside * (radius - 0.15 * period + 0.5).clamp(0, 1)
    return _mixed(rng, inside)


def _checks(rng: np.random.Generator) -> torch.Tensor:
    """Return a chessboard, or rectangles of another proportion, in two colours."""
    along, across = _grid(rng)
    waves = [torch.cos(place * math.pi / rng.uniform(12, 27)) for place in (along, across)]
    return _mixed(rng, (waves[0] * waves[1] * 4 + 0.5).clamp(0, 1))


def _gradient(rng: np.random.Generator) -> torch.Tensor:
    """Return two to four colours that flow into one another, along a line or around a point."""
    along, across = _grid(rng)
    place = along if rng.random() < 0.6 else torch.sqrt(along * along + across * across)
    place = (place - place.min()) / (place.max() - place.min())
    colors = _colors(rng, int(rng.integers(2, 5)))
    return F.interpolate(colors.T[None, :, :, None], (SIZE, 1), mode="bilinear", align_corners=True)[0, :, :, 0][
        :, (place * (SIZE - 1)).long()
    ]


def _clouds(rng: np.random.Generator) -> torch.Tensor:
    """Return soft random blotches around one colour."""
    coarse = int(rng.integers(3, 10))
    noise = torch.from_numpy(rng.normal(0, 0.25, (1, 3, coarse, coarse)).astype(np.float32))
    clouds = F.interpolate(noise, (SIZE, SIZE), mode="bicubic", align_corners=False)[0]
    return (_colors(rng, 1)[0][:, None, None] + clouds).clamp(0, 1)


def _shape(rng: np.random.Generator) -> torch.Tensor:
    """Return one big disc, bar, half plane or wedge of a colour on another."""
    along, across = _grid(rng)
    inside = (
        rng.uniform(12, 36) - torch.sqrt(along * along + across * across),
        rng.uniform(6, 21) - across.abs(),
        across,
        torch.minimum(across, along),
        torch.maximum(rng.uniform(5, 12) - across.abs(), rng.uniform(5, 12) - along.abs()),
    )[rng.integers(5)]
    return _mixed(rng, (inside + 0.5).clamp(0, 1))


TEXTURES: tuple[Callable[[np.random.Generator], torch.Tensor], ...] = (
    _bands,
    _bands,
    _cells,
    _spots,
    _checks,
    _gradient,
    _clouds,
    _shape,
)


def _pixels() -> tuple[torch.Tensor, torch.Tensor]:
    y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    return y, x


def _grid(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixel coordinates along and across a random direction, around a random point near the middle."""
    y, x = _pixels()
    turn = rng.uniform(0, 2 * math.pi)
    x, y = x - rng.uniform(30, 66), y - rng.uniform(30, 66)
    return x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)


def _colors(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Return (count, 3) colours, evenly spread over the cube."""
    return torch.from_numpy(rng.uniform(0, 1, (count, 3)).astype(np.float32))


def _mixed(rng: np.random.Generator, mask: torch.Tensor) -> torch.Tensor:
    first, second = _colors(rng, 2)[:, :, None, None]
    return torch.lerp(first, second, mask)


def _cycle(colors: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """Return colour k where the place is between k and k + 1, softly, over and over."""
    count = len(colors)
    index = place.floor().long()
    share = ((place - place.floor() - 0.9) / 0.1).clamp(0, 1)
    return torch.lerp(colors[index % count], colors[(index + 1) % count], share[..., None]).permute(2, 0, 1)
