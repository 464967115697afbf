"""Fashion-MNIST as coloured, patterned 96x96 photographs: from grey pictures and scenes to pixels."""

import gzip
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .world import BACKGROUNDS, COLORS, PATTERNS, Scene

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's dataset-fashion-mnist puts the four IDX files."""

SIZE = 96
"""Pixels of a side, or a dozen latents: of eight, at 64 pixels, too few fell on what a thing wears."""
MARGIN = 6
"""Pixels around a thing, so that the background is seen on every side."""
JITTER = 0.03
"""How far, up or down, each channel of a paint lies from its colour term's."""


def read_split(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 28, 28) uint8 pictures and (N,) labels of split "train" or "t10k" (IDX, gzip)."""
    with gzip.open(folder / f"{split}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / f"{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return images, labels


def relief(gray: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return coverage and light, each (N, 1, 96, 96) in [0, 1], of (N, 28, 28) uint8 pictures."""
    image = torch.from_numpy(gray.astype(np.float32) / 255)[:, None]
    solid = _closed((image > 0.03).float())
    # Blurred, then cut again where half of a pixel shows: an outline without the steps of 28 pixels.
    cover = ((_enlarge(_blur(solid)) - 0.45) * 4 + 0.5).clamp(0, 1)
    peak = image.flatten(1).quantile(0.95, dim=1).clamp(min=0.2)[:, None, None, None]
    # Averaged over the object alone, or its rim would be dark; half of the grain is more than the latents can hold.
    sharp = (image / peak).clamp(0, 1)
    light = (_blur(sharp * solid) / _blur(solid).clamp(min=0.05)).lerp(sharp, 0.5 * solid)
    return F.pad(cover, (MARGIN,) * 4), F.pad(_enlarge(light).clamp(0, 1), (MARGIN,) * 4)


def _closed(solid: torch.Tensor) -> torch.Tensor:
    """Return the silhouettes with holes of one pixel filled."""
    return torch.maximum(-F.max_pool2d(-F.max_pool2d(solid, 3, 1, 1), 3, 1, 1), solid)


def _blur(image: torch.Tensor) -> torch.Tensor:
    row = torch.tensor([0.25, 0.5, 0.25])
    return F.conv2d(image, (row[:, None] * row)[None, None], padding=1)


def _enlarge(image: torch.Tensor) -> torch.Tensor:
    side = SIZE - 2 * MARGIN
    return F.interpolate(image, (side, side), mode="bicubic", align_corners=False)


def colorize(gray: np.ndarray, scenes: Sequence[Scene], generator: np.random.Generator) -> torch.Tensor:
    """Return (N, 3, 96, 96) pictures in [0, 1]: each object painted, shaded and put before its background."""
    paints = list(COLORS.values())
    first, second = ([paints[i] for i in rows] for rows in _color_rows(scenes))
    mask = torch.stack([pattern_mask(PATTERNS[scene.pattern], generator) for scene in scenes])
    tint = torch.lerp(_rgb([rgb for rgb, _ in first], generator), _rgb([rgb for rgb, _ in second], generator), mask)
    fold = torch.lerp(_column([share for _, share in first]), _column([share for _, share in second]), mask)
    grounds = list(BACKGROUNDS.values())
    ground = _rgb([grounds[scene.background] for scene in scenes], generator)
    return compose(*relief(gray), tint, fold, ground)


def compose(
    cover: torch.Tensor, light: torch.Tensor, surface: torch.Tensor, fold: torch.Tensor, ground: torch.Tensor
) -> torch.Tensor:
    """Return (N, 3, 96, 96) pictures: surfaces as dark as light and folds make them, cut out, before a ground."""
    shaded = surface * (fold + (1 - fold) * light)
    slope = torch.linspace(1.03, 0.97, SIZE)[None, None, :, None]
    return (cover * shaded + (1 - cover) * (ground * slope)).clamp(0, 1)


def _color_rows(scenes: Sequence[Scene]) -> tuple[list[int], list[int]]:
    seconds = [scene.color if scene.second is None else scene.second for scene in scenes]
    return [scene.color for scene in scenes], seconds


def _rgb(paints: Sequence[tuple[float, float, float]], generator: np.random.Generator) -> torch.Tensor:
    """Return (N, 3, 1, 1) jittered paints."""
    jittered = np.array(paints) + generator.uniform(-JITTER, JITTER, (len(paints), 3))
    return torch.from_numpy(jittered.astype(np.float32))[:, :, None, None]


def _column(shares: Sequence[float]) -> torch.Tensor:
    return torch.tensor(shares)[:, None, None, None]


def pattern_mask(pattern: str, generator: np.random.Generator) -> torch.Tensor:
    """Return where the second colour shows, (1, 96, 96) in [0, 1], of a pattern at a random place and scale."""
    # Always as many draws: a picture's background does not depend on another picture's pattern.
    phase, angle, scale = generator.uniform(-1, 1, 3)
    offset, turn, period = phase * 12, math.radians(8 * angle), 22 * (1 + 0.1 * scale)
    along, across = _turned_grid(turn, offset)
    if pattern == "striped":
        return _soft_wave(across, period)
    if pattern == "checked":
        return _soft_edge(_cosine(along, 1.5 * period) * _cosine(across, 1.5 * period) * 0.75 * period / math.pi)
    if pattern == "dotted":
        # Every other row is shifted by half a period, as on printed cloth.
        row = torch.floor(across / period)
        x = (along + (row % 2) * period / 2) % period - period / 2
        y = across % period - period / 2
        return _soft_edge(0.33 * period - torch.sqrt(x * x + y * y))
    if pattern == "zigzag":
        tooth = (along % 27 - 13.5).abs()
        return _soft_wave(across + tooth, period)
    return torch.zeros(1, SIZE, SIZE)


def _turned_grid(turn: float, offset: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixel coordinates (1, 96, 96) along and across a direction that is `turn` radians off horizontal."""
    y, x = torch.meshgrid(torch.arange(SIZE) - SIZE / 2, torch.arange(SIZE) - SIZE / 2, indexing="ij")
    along = x * math.cos(turn) + y * math.sin(turn) + offset
    across = y * math.cos(turn) - x * math.sin(turn) + offset
    return along[None], across[None]


def _cosine(place: torch.Tensor, period: float) -> torch.Tensor:
    return torch.cos(2 * math.pi * place / period)


def _soft_wave(place: torch.Tensor, period: float) -> torch.Tensor:
    """Return bands of half a period each, whose edges are one pixel soft."""
    return _soft_edge(_cosine(place, period) * period / (2 * math.pi))


def _soft_edge(distance: torch.Tensor) -> torch.Tensor:
    """Return the coverage of pixels at a signed distance, in pixels, from an edge."""
    return (distance + 0.5).clamp(0, 1)
