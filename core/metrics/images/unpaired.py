"""Two sets of images from anywhere, compared without pairs: colours and image features, with floors from splitting."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ...errors import UsageError
from ...progress import SILENT, Progress
from ..measurement import Estimate, Measurement, Part
from ..metric import quantity
from ..statistics import CHANGE_OF_SHARE, DISTANCE, jackknife_spread, simultaneous_level, spread_estimate
from .color.cielab import lab_pixels, name_shares
from .color.color_distance import color_distance
from .color.color_terms import TERMS
from .features import FeatureNetwork, features_of
from .mmd import kernel_spread, mmd, mmd_without_each, polynomial_kernel

VERSION = 1
"""Version of these definitions in docs/metrics.md."""

LEAST = 4
"""Images of a set below which halves have no spread."""
FEW = 50
"""Images of a set below which intervals are only approximate, and the result says so."""
_GROUPS = 10
"""Groups of images that the colour jackknife leaves out one at a time: an evaluation takes up to a second."""
_COLOR_SPLITS, _SPLITS = 4, 100
"""Random halvings of each set: few for the distance of colours, which takes so long, many for what takes none."""
_QUANTILE = 0.95
"""Share of the halvings that stay below a floor: chance alone reaches it one time in twenty."""
_FLAT = 1e-6
"""Spread of a set, relative to the kernel's own size, below which it is rounding."""


@dataclass(frozen=True)
class Comparison:
    """What two sets of images say about each other."""

    measurements: tuple[Measurement, ...]
    """Colours and, with a feature network, KID."""
    notes: tuple[str, ...]
    """What to know before trusting the numbers, such as too few images."""


def compare(
    a: torch.Tensor,
    b: torch.Tensor,
    network: FeatureNetwork | None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Comparison:
    """Return the comparison of uint8 images (N, 3, H, W) and (M, 3, H', W'); the order of images means nothing.

    Floors are what random halves of one and the same set differ by; halves are smaller than the sets, so floors
    are rather too high. Raises UsageError for sets of fewer than four images.
    """
    for name, images in (("first", a), ("second", b)):
        if len(images) < LEAST:
            raise UsageError(f"The {name} set has {len(images)} images; at least {LEAST} are needed, better {FEW}.")
    seen = len(a) + len(b)
    through_network = 0 if network is None else seen
    progress.total(_color_distances(a, b) + seen + through_network)
    measurements = [_color(a, b, seed, progress)]
    if network is not None:
        of_a, of_b = (features_of(network, images, progress) for images in (a, b))
        measurements.append(kid_of_sets(of_a, of_b, network.name, seed))
    if torch.equal(a, b):
        return Comparison(tuple(measurements), ("Both sets hold the same images, so there is nothing to compare.",))
    return Comparison(tuple(measurements), _notes(measurements, min(len(a), len(b))))


def _notes(measurements: list[Measurement], n: int) -> tuple[str, ...]:
    notes = [f"{n} images are few: intervals are approximate below {FEW}."] if n < FEW else []
    for measurement in measurements:
        estimate = measurement.estimates[measurement.headline]
        if estimate.floor is not None and estimate.low <= estimate.floor:
            notes.append(_too_few(measurement.headline, estimate, n))
    return tuple(notes)


def _title(estimate: str) -> str:
    known = quantity(estimate)
    return estimate if known is None else known.title


def _too_few(name: str, estimate: Estimate, n: int) -> str:
    """Return the note on a value that chance alone may have made; floor and half-width shrink like 1 / sqrt(n)."""
    assert estimate.floor is not None
    noise = estimate.floor + estimate.value - estimate.low
    text = f"{n} images are too few to tell {_title(name)} from what two halves of one set differ by"
    if estimate.value <= 0 or not math.isfinite(noise):
        return f"{text}; there may be no difference at all."
    return f"{text}; about {math.ceil(n * (noise / estimate.value) ** 2):,} in each set would."


def _color_distances(a: torch.Tensor, b: torch.Tensor) -> int:
    """Return how often `_color` measures a distance."""
    return 1 + min(len(a), _GROUPS) + min(len(b), _GROUPS) + 2 * _COLOR_SPLITS


def _color(a: torch.Tensor, b: torch.Tensor, seed: int, progress: Progress) -> Measurement:
    def distance(one: torch.Tensor, other: torch.Tensor) -> float:
        progress.advance(1)
        return color_distance(one, other)

    value = distance(a, b)
    spread = _group_jackknife(lambda x, y: distance(a[x], b[y]), len(a), len(b), seed)
    floors = [distance(s[x], s[y]) for s in (a, b) for x, y in _halves(len(s), _COLOR_SPLITS, seed)]
    estimate = spread_estimate(value, spread, min(len(a), len(b)), "delta_e", within=DISTANCE)
    cdi = replace(estimate, floor=float(np.mean(floors)))
    facts: dict[str, str | int | float] = {"images_a": len(a), "images_b": len(b)}
    return Measurement("color", VERSION, "cdi", {"cdi": cdi}, {"color_term": _terms(a, b, seed, progress)}, facts)


def _group_jackknife(distance: Callable[[np.ndarray, np.ndarray], float], n: int, m: int, seed: int) -> float:
    """Return the standard error of distance(rows of A, rows of B), leaving out one group of either set at a time."""
    every = np.arange(n), np.arange(m)
    variance = 0.0
    for side, count in enumerate((n, m)):
        groups = np.array_split(np.random.default_rng(seed + side).permutation(count), min(count, _GROUPS))
        values = []
        for group in groups:
            kept = list(every)
            kept[side] = np.setdiff1d(every[side], group)
            values.append(distance(*kept))
        variance += (len(groups) - 1) * float(np.var(values))
    return math.sqrt(variance)


def _halves(n: int, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return `count` random splits of n rows into halves."""
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(n) for _ in range(count)]
    return [(order[: n // 2], order[n // 2 :]) for order in orders]


def _terms(a: torch.Tensor, b: torch.Tensor, seed: int, progress: Progress) -> tuple[Part, ...]:
    """Return the difference of each colour term's share of pixels, with Welch intervals that hold together."""

    def named(image: torch.Tensor) -> np.ndarray:
        progress.advance(1)
        return name_shares(lab_pixels(image))

    shares = [np.stack([named(image) for image in images]) for images in (a, b)]
    level = simultaneous_level(len(TERMS))
    change = shares[1].mean(0) - shares[0].mean(0)
    spread = np.sqrt(sum(s.var(0, ddof=1) / len(s) for s in shares))
    floor = _half_quantile(shares, lambda x, y: np.abs(x.mean(0) - y.mean(0)), seed)
    n = min(len(a), len(b))
    parts = []
    for term, moved, error, least in zip(TERMS, change, spread, floor, strict=True):
        estimate = spread_estimate(float(moved), float(error), n, "share", level, CHANGE_OF_SHARE)
        parts.append(Part(term, replace(estimate, floor=float(least))))
    return tuple(parts)


def _half_quantile(
    sets: list[np.ndarray], statistic: Callable[[np.ndarray, np.ndarray], np.ndarray], seed: int
) -> np.ndarray:
    """Return the 95 % quantile of a statistic over random halves of either set."""
    values = [statistic(s[x], s[y]) for s in sets for x, y in _halves(len(s), _SPLITS, seed)]
    return np.quantile(np.stack(values), _QUANTILE, axis=0)


def kid_of_sets(a: np.ndarray, b: np.ndarray, network: str, seed: int) -> Measurement:
    """Return the unbiased MMD^2 of features (N, D), (M, D), plain and relative to the spread of the first set."""
    first, across, second = polynomial_kernel(a, a), polynomial_kernel(a, b), polynomial_kernel(b, b)
    value, scale = mmd(first, across, second), kernel_spread(first, np.arange(len(a)))
    spread = math.hypot(*(jackknife_spread(without) for without in mmd_without_each(first, across, second)))
    halves = [
        mmd(kernel[np.ix_(x, x)], kernel[np.ix_(x, y)], kernel[np.ix_(y, y)])
        for kernel in (first, second)
        for x, y in _halves(len(kernel), _SPLITS, seed)
    ]
    floor = max(0.0, float(np.quantile(halves, _QUANTILE)))
    size = np.concatenate([first.diagonal(), second.diagonal()]).mean()
    n = min(len(a), len(b))
    kid = replace(spread_estimate(value, spread, n), floor=floor)
    estimates = {"kid": kid}
    if scale > _FLAT * size:  # one picture many times has no spread to be relative to
        relative = replace(spread_estimate(value / scale, spread / scale, n, "relative"), floor=floor / scale)
        estimates = {"kid_relative": relative, "kid": kid}
    facts: dict[str, str | int | float] = {"features": network, "images_a": len(a), "images_b": len(b)}
    return Measurement("kid", VERSION, next(iter(estimates)), estimates, facts=facts)
