"""How pictures look in colour as a whole: numbers of a prompt's pictures that can be pooled over prompts.

Nothing here knows where in a picture a colour is, so that a composition that was rolled anew looks alike.
"""

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ....errors import InvalidError
from .cielab import lab_pixels

LEVELS = 32
"""Levels at which distributions are compared: a picture has fewer tones that people tell apart than that twice over."""

_MOST_PIXELS = 1 << 14
"""Pixels of a picture that count: their mean is known to a hundredth of the pixels' spread."""

_CELL = 4.0
"""Side of a cell of the palette in a*, b*: finer than people name colours; within a cell colours are averaged."""


@dataclass(frozen=True)
class ColorLook:
    """The pictures of one prompt."""

    quantiles: np.ndarray
    """(13 * LEVELS,) quantiles of the CIELAB pixels along fixed directions, scaled so that the difference of two such
    vectors has a squared length: that of d, for a uniform shift by d in any direction."""
    moments: np.ndarray
    """(5,) means of L*, a*, b*, and a*^2 + b*^2; and the variance of L* within a picture."""
    palette: np.ndarray
    """(M, 3) mean a*, mean b* and share of the pixels, for each cell of the a*, b* plane that has any."""


def color_look(images: torch.Tensor) -> ColorLook:
    """Return the look of uint8 images (S, 3, H, W); raise InvalidError for others."""
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] != 3 or not images.numel():
        raise InvalidError(f"Colour needs uint8 images (S, 3, H, W), not {images.dtype} {tuple(images.shape)}.")
    pixels = images.flatten(2)
    step = -(-pixels.shape[2] // _MOST_PIXELS) | 1  # an odd step visits every column of even widths
    lab = lab_pixels(pixels[:, :, ::step, None]).cpu().numpy().astype(np.float64)
    return look_of(lab.reshape(len(images), -1, 3))


def look_of(lab: np.ndarray) -> ColorLook:
    """Return the look of pictures whose CIELAB pixels are (S, N, 3)."""
    pixels = lab.reshape(-1, 3)
    plane = pixels[:, 1:]
    moments = (*pixels.mean(0), np.square(plane).sum(1).mean(), lab[:, :, 0].var(axis=1).mean())
    return ColorLook(_quantiles(pixels), np.array(moments), _palette(plane))


def between(one: ColorLook, other: ColorLook, share: float) -> ColorLook:
    """Return the look that lies `share` of the way from one to another, as the look of many pictures of both would."""
    moments, quantiles = (
        (1 - share) * a + share * b for a, b in ((one.moments, other.moments), (one.quantiles, other.quantiles))
    )
    parts = [look.palette * (1, 1, part) for look, part in ((one, 1 - share), (other, share))]
    return ColorLook(quantiles, moments, np.concatenate(parts) if share else one.palette)


def _quantiles(lab: np.ndarray) -> np.ndarray:
    """Return the scaled quantiles (13 * LEVELS,) of pixels (N, 3), linear between neighbours."""
    ordered = np.sort(lab @ directions().T, axis=0)
    # The middle of each of LEVELS equal parts of the ranks 0 to N - 1.
    places = ((np.arange(LEVELS) + 0.5) / LEVELS * len(lab) - 0.5).clip(0, len(lab) - 1)
    below = places.astype(int)
    above, part = np.minimum(below + 1, len(lab) - 1), (places - below)[:, None]
    found = ordered[below] + part * (ordered[above] - ordered[below])
    return np.sqrt(3 / found.size) * found.T.ravel()


@lru_cache(maxsize=1)
def directions() -> np.ndarray:
    """Return 13 unit directions: through the faces, edges and corners of a cube.

    The mean of their squared cosines with any direction is 1/3, so that squared lengths come out alike in all.
    """
    signs = sorted(itertools.product((-1, 0, 1), repeat=3))
    half = np.array([sign for sign in signs if sign > (0, 0, 0)], np.float64)
    return half / np.linalg.norm(half, axis=1, keepdims=True)


def _palette(plane: np.ndarray) -> np.ndarray:
    cells = np.floor(plane / _CELL).astype(int)
    _, cell = np.unique(cells @ (1000, 1), return_inverse=True)
    counts = np.bincount(cell)
    sums = [np.bincount(cell, weights=axis) for axis in plane.T]
    return np.stack([sums[0] / counts, sums[1] / counts, counts / len(plane)], axis=1)
