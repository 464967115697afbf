"""Where in a picture its thing is: what stands out from the colours at the edges.

The edges of a picture mostly show what is around its subject (the boundary prior; Wei et al., 2012). No network has to
be asked, so the base's and the tuned model's pictures are looked at with the same eyes.
"""

from collections.abc import Sequence

import numpy as np
import torch

from .cielab import lab_pixels, name_shares
from .color_terms import TERMS

_FRAME = 1 / 16
"""Width of the frame that counts as the edges, of the shorter side."""
_CELL = 12.0
"""Side of the cells of CIELAB in which the frame's colours are counted, in Delta-E: about five just noticeable steps,
so that a wall with light and shade has few of them."""
_COMMON = 0.05
"""Share of a side of the frame from which on a cell is there: less is noise, or light on an edge."""
_STANDS_OUT = 10.0
"""Distance to the background in Delta-E, at half the strength of what stands out most, below which nothing does: plain
at a glance begins there."""


def thing_pixels(lab: np.ndarray) -> np.ndarray:
    """Return which pixels (H, W) of a CIELAB picture (H, W, 3) show its thing.

    They differ from every colour of the background by more than half as much as those that differ most. Where nothing
    stands out, as a white thing before white, it is taken to be in the middle.
    """
    height, width = lab.shape[:2]
    frame = max(1, round(_FRAME * min(height, width)))
    inner = np.zeros((height, width), bool)
    inner[frame : height - frame, frame : width - frame] = True
    sides = lab[:frame], lab[-frame:], lab[:, :frame], lab[:, -frame:]
    background = _background([side.reshape(-1, 3) for side in sides])
    distance = np.min([np.linalg.norm(lab - color, axis=-1) for color in background], axis=0)
    # Of the farthest hundredth the nearest: single pixels of noise decide nothing.
    half = np.quantile(distance, 0.99) / 2
    found = inner & (distance > half)
    if half < _STANDS_OUT / 2 or not found.any():
        found = np.zeros((height, width), bool)
        found[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    return found


def _background(sides: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean colours (K, 3) of the cells that are on two sides (N, 3) of the frame or more.

    What is around a thing goes on behind it. A thing that reaches over an edge is on one side; where all are, as of a
    picture that is cut in four, all count.
    """
    cells = [np.floor(side / _CELL).astype(int) for side in sides]
    _, owner, counts = np.unique(np.concatenate(cells), axis=0, return_inverse=True, return_counts=True)
    owner = owner.reshape(-1)  # NumPy 2.0 alone gave it two dimensions
    pixels = np.concatenate(sides)
    means = np.stack([np.bincount(owner, weights=axis) for axis in pixels.T], axis=1) / counts[:, None]
    ends = np.cumsum([len(side) for side in sides])[:-1]
    shares = [np.bincount(part, minlength=len(counts)) / len(part) for part in np.split(owner, ends)]
    common = np.sum([share >= _COMMON for share in shares], axis=0) >= 2
    return means[common] if common.any() else means


def thing_terms(images: torch.Tensor) -> list[str]:
    """Return the basic colour term of most of the thing in each of the uint8 images (S, 3, H, W)."""
    count, _, height, width = images.shape
    lab = lab_pixels(images).reshape(count, height, width, 3)
    found = []
    for picture in lab:
        inside = torch.from_numpy(thing_pixels(picture.cpu().numpy().astype(np.float64))).to(picture.device)
        found.append(TERMS[int(name_shares(picture[inside]).argmax())])
    return found
