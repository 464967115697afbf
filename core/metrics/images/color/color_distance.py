"""Colour distance of stacks of images in Delta-E: the sliced Wasserstein distance of their CIELAB pixels."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ....errors import InvalidError
from .cielab import lab_pixels, name_shares

_ORBITS = (
    ((1.0, 0.0, 0.0), 0.0221),
    ((1.0, 1.0, 0.0), 0.1912),
    ((1.0, 1.0, 1.0), 0.0935),
    ((1.0, 1.0, 5.386), 0.3632),
    ((1.0, 0.509, 0.142), 0.7406),
    ((1.0, 0.756, 0.463), 0.5919),
)
"""Direction and weight of every orbit under the symmetries of the cube.

Found by minimising the largest error of the mean |cosine| over all shift directions (a linear programme in
the weights, a simplex search in the directions): these 73 do what about 190 spread evenly would.
"""

_MOST_PIXELS = 1 << 16
"""Pixels of a stack that count, which bounds the time for a prompt at about a second on one CPU core."""

_CHUNK_VALUES = 1 << 21
"""Projections sorted at a time: 16 MB a copy."""


@dataclass(frozen=True)
class PromptColor:
    """What the images of one prompt say about colour."""

    cdi: float
    """Colour distance of tuned to base, Delta-E."""
    floor: float | None
    """Colour distance of base with other seeds to base, Delta-E."""
    across: float | None
    """Colour distance of base with other seeds to tuned, Delta-E."""
    base_shares: np.ndarray
    """(11,) share of the base's pixels named by each of TERMS."""
    tuned_shares: np.ndarray
    """(11,) the same for the tuned model."""
    floor_shares: np.ndarray | None
    """(11,) the same for the base with other seeds."""


def color_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return the colour distance of two stacks of uint8 images (S, 3, H, W), in Delta-E (CIE76).

    It is the 1-Wasserstein distance of their CIELAB pixel distributions, sliced over fixed directions (Rabin
    et al., 2011) and scaled so that a uniform shift by d reads d: exactly along L, a and b, within 0.5 % in
    any direction. The stacks may differ in size. Above 2^16 pixels every k-th pixel counts.
    """
    return float(_distances([_pixels(a), _pixels(b)])[0, 1])


def measure_prompt(base: torch.Tensor, tuned: torch.Tensor, other: torch.Tensor | None) -> PromptColor:
    """Return the colour of one prompt from its uint8 images (S, 3, H, W)."""
    stacks = [_pixels(stack) for stack in (base, tuned, other) if stack is not None]
    distances = _distances(stacks).tolist()
    shares = [name_shares(stack) for stack in stacks]
    if other is None:
        return PromptColor(distances[0][1], None, None, shares[0], shares[1], None)
    return PromptColor(distances[0][1], distances[0][2], distances[1][2], *shares)


def _pixels(images: torch.Tensor) -> torch.Tensor:
    """Return (N, 3) CIELAB pixels of a stack, evenly thinned to at most _MOST_PIXELS."""
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] != 3 or not images.numel():
        raise InvalidError(f"Colour needs uint8 images (S, 3, H, W), not {images.dtype} {tuple(images.shape)}.")
    pixels = images.movedim(1, -1).reshape(-1, 3)
    step = -(-len(pixels) // _MOST_PIXELS)
    if step % 2 == 0:
        step += 1  # an odd step visits every column of even widths, decoder artefacts or not
    return lab_pixels(pixels[::step].T[:, :, None])


def _distances(stacks: Sequence[torch.Tensor]) -> np.ndarray:
    """Return the (S, S) sliced distances between S stacks of pixels (N, 3), each of its own N."""
    directions, weights = (torch.from_numpy(array).to(stacks[0]) for array in _directions())
    sums = np.zeros((len(stacks), len(stacks)))
    size = max(1, _CHUNK_VALUES // max(len(pixels) for pixels in stacks))
    for some, weight in zip(directions.split(size), weights.split(size), strict=True):
        ordered = [_sort(some @ pixels.T) for pixels in stacks]
        for i, j in itertools.combinations(range(len(stacks)), 2):
            sums[i, j] += float(weight @ _wasserstein(ordered[i], ordered[j]))
    return sums + sums.T


def _sort(values: torch.Tensor) -> torch.Tensor:
    """Return the rows (K, N) in ascending order."""
    if values.device.type == "cpu":  # several times faster than torch's, which carries indices along
        return torch.from_numpy(np.sort(values.numpy(), axis=1))
    return values.sort(dim=1).values


def _wasserstein(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the (K,) exact 1-Wasserstein distances of ascending rows (K, N) and (K, M)."""
    if a.shape == b.shape:
        return (a - b).abs().mean(1)
    of_a, of_b, widths = (torch.from_numpy(array).to(a.device) for array in _merge(a.shape[1], b.shape[1]))
    return (a[:, of_a] - b[:, of_b]).abs() @ widths.to(a)


@lru_cache(maxsize=2)
def _merge(n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each step of the merged quantile functions of n and m values, both ranks and its width."""
    # In units of 1 / (n m) every step ends at a whole number, so there is nothing to round.
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    return (ends - 1) // m, (ends - 1) // n, np.diff(ends, prepend=0) / (n * m)


@lru_cache(maxsize=1)
def _directions() -> tuple[np.ndarray, np.ndarray]:
    """Return (73, 3) unit directions and (73,) weights, scaled so that a unit shift along an axis reads 1."""
    orbits = [(_orbit(generator), weight) for generator, weight in _ORBITS]
    directions = np.concatenate([orbit for orbit, _ in orbits])
    weights = np.concatenate([np.full(len(orbit), weight / len(orbit)) for orbit, weight in orbits])
    return directions, weights / (np.abs(directions[:, 0]) @ weights)


def _orbit(generator: tuple[float, float, float]) -> np.ndarray:
    """Return the unit directions that the symmetries of the cube make of one, opposite ones once."""
    images = {
        tuple(sign * value + 0.0 for sign, value in zip(signs, order, strict=True))
        for order in itertools.permutations(generator)
        for signs in itertools.product((1, -1), repeat=3)
    }
    half = sorted(image for image in images if image > (0.0, 0.0, 0.0))
    return np.array(half) / np.linalg.norm(generator)
