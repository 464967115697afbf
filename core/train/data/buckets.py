"""Aspect-ratio buckets: each picture is cut to the nearest shape of the same area. No torch."""

import math

import numpy as np

MAX_RATIO = 2.0
"""Longest side by shortest side of the most extreme bucket."""


def bucket_shapes(resolution: int, step: int) -> tuple[tuple[int, int], ...]:
    """Return the square, and every (height, width) in multiples of `step` pixels of at most the square's area.

    For each width the largest height that fits; `step` 0 leaves the square alone.
    """
    square = (resolution, resolution)
    if step == 0 or resolution < 2 * step:
        return (square,)
    shapes = {square}
    for width in range(step, math.floor(resolution * math.sqrt(MAX_RATIO)) + step, step):
        height = resolution**2 // width // step * step
        if height > 0 and max(width, height) <= MAX_RATIO * min(width, height):
            shapes |= {(height, width), (width, height)}
    return tuple(sorted(shapes))


def nearest_bucket(height: int, width: int, shapes: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Return the shape whose aspect ratio is nearest on a logarithmic scale."""
    ratio = math.log(width / height)
    return min(shapes, key=lambda shape: (abs(math.log(shape[1] / shape[0]) - ratio), -shape[0] * shape[1]))


def epoch_order(
    shapes: list[tuple[int, int]], repeats: list[int], batch: int, seed: int, epoch: int
) -> list[list[int]]:
    """Return the batches of picture indices of one epoch, shuffled by (seed, epoch) alone.

    Every batch holds exactly `batch` pictures of one shape: the last of a shape is filled up from its beginning.
    """
    rng = np.random.default_rng([seed, epoch])
    batches: list[list[int]] = []
    for shape in sorted({own for own, times in zip(shapes, repeats, strict=True) if times > 0}):
        members = [i for i, own in enumerate(shapes) if own == shape for _ in range(repeats[i])]
        order = [members[i] for i in rng.permutation(len(members))]
        padded = order * (1 + batch // len(order)) + order
        batches += [padded[i : i + batch] for i in range(0, len(order), batch)]
    return [batches[i] for i in rng.permutation(len(batches))]
