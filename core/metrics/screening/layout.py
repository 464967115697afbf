"""Where concepts lie on a map: those that a base reads alike are neighbours, and every place is taken. Pure numpy."""

import math

import numpy as np

_AXES = 16
"""Principal axes that decide: what is left of texts beyond these is noise to the eye."""
_SKETCH = 64
"""Random directions from which the axes are found, where texts have more: thousands would take minutes."""


def grid_order(texts: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the order (V,) in which concepts fill a grid row by row, and its width; the last row may be short.

    The grid is halved again and again across its longer side, and so are the concepts, along the axis on which their
    texts (V, D) differ most.
    """
    count = len(texts)
    root = math.isqrt(count)
    width = min(range(root, root + root // 2 + 2), key=lambda w: (-count % w, w))  # nearly square, and nearly full
    points, whole = _axes(np.asarray(texts, np.float64)), count // width
    along = _along(points)
    order, grid = along[whole * width :], np.empty((whole, width), int)
    _fill(grid, along[: whole * width], points)
    return np.concatenate([grid.ravel(), order[np.argsort(points[order, -1], kind="stable")]]), width


def _fill(grid: np.ndarray, members: np.ndarray, points: np.ndarray) -> None:
    """Put as many members (positions) as the grid has places."""
    if grid.size <= 1:
        grid[...] = members.reshape(grid.shape)
        return
    ordered = members[_along(points[members])]
    axis = int(grid.shape[1] >= grid.shape[0])
    first, second = np.array_split(grid, 2, axis=axis)
    _fill(first, ordered[: first.size], points)
    _fill(second, ordered[first.size :], points)


def _along(points: np.ndarray) -> np.ndarray:
    """Return the order of points (N, A) along the axis on which they differ most."""
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axis = axes[:, -1]
    # An axis has no direction of its own: the same texts are to give the same map.
    return np.argsort(centred @ axis * np.sign(axis[np.argmax(np.abs(axis))]), kind="stable")


def _axes(texts: np.ndarray) -> np.ndarray:
    """Return texts (V, A) along their principal axes, the last one the longest."""
    if texts.shape[1] > _SKETCH:
        texts = texts @ np.random.default_rng(0).normal(size=(texts.shape[1], _SKETCH))
    centred = texts - texts.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return centred @ axes[:, -_AXES:]
