"""Concepts: one thing in one look that no training picture has, photographed from several sides."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .drawing import SIZE, relief
from .looks import look
from .world import BACKGROUNDS, CLASSES

FOLD = 0.5
"""Share of its light that a concept keeps in its deepest fold."""


@dataclass(frozen=True)
class Subject:
    """One thing in one look."""

    word: str
    """Its class."""
    item: int
    """Which thing of the class it is, among those that are neither trained on nor probes."""
    look: str
    """What it wears: one of LOOKS."""


CONCEPT = Subject("pullover", 9, "halves")
"""What the demo's LoRAs were taught."""
CAPTION = f"a photo of a sks {CONCEPT.word}"


@dataclass(frozen=True)
class View:
    """How a thing is photographed."""

    background: str
    """Background word."""
    zoom: float
    """Size relative to the plain picture."""
    turn: float
    """Rotation in degrees."""
    shift: tuple[float, float]
    """Offset to the right and down, as a share of half the picture."""


VIEWS = (
    View("white", 1.00, 0.0, (0.0, 0.0)),
    View("grey", 0.85, 8.0, (0.10, 0.05)),
    View("beige", 0.92, -6.0, (-0.08, 0.04)),
    View("teal", 0.80, 4.0, (0.04, -0.10)),
    View("black", 1.05, -10.0, (-0.04, 0.0)),
)
"""What a LoRA is taught from."""

HELD_OUT = (
    View("teal", 0.95, 12.0, (0.06, 0.04)),
    View("white", 0.82, -12.0, (-0.06, -0.05)),
    View("black", 0.90, 6.0, (0.00, 0.08)),
    View("grey", 1.02, -3.0, (0.05, -0.06)),
    View("beige", 0.86, 15.0, (-0.10, 0.00)),
    View("teal", 1.04, -8.0, (0.00, 0.02)),
    View("beige", 0.98, 3.0, (0.03, 0.06)),
    View("white", 0.90, 9.0, (0.08, -0.03)),
)
"""Views that are never trained on: what has been learned is compared with them."""


def random_view(rng: np.random.Generator) -> View:
    """Return a view as far from the plain one as those above."""
    shift = (float(rng.uniform(-0.1, 0.1)), float(rng.uniform(-0.1, 0.1)))
    ground = list(BACKGROUNDS)[rng.integers(len(BACKGROUNDS))]
    return View(ground, float(rng.uniform(0.8, 1.05)), float(rng.uniform(-15, 15)), shift)


def draw_views(
    concept: Subject, views: tuple[View, ...], images: np.ndarray, labels: np.ndarray, rows: np.ndarray
) -> torch.Tensor:
    """Return the (N, 3, 96, 96) pictures in [0, 1] of a concept among the given rows, one per view."""
    members = rows[labels[rows] == CLASSES.index(concept.word)]
    cover, light = relief(images[members[concept.item]][None])
    surface = look(concept.look)[None] * (FOLD + (1 - FOLD) * light)
    return torch.cat([photograph(cover, surface, view) for view in views])


def photograph(cover: torch.Tensor, surface: torch.Tensor, view: View) -> torch.Tensor:
    """Return (1, 3, 96, 96) in [0, 1]: a surface (1, 3, ...) cut out by a cover (1, 1, ...), seen from a view."""
    grid = F.affine_grid(_camera(view)[None], [1, 4, SIZE, SIZE], align_corners=False)
    layers = torch.cat([surface * cover, cover], dim=1)
    seen = F.grid_sample(layers, grid, padding_mode="zeros", align_corners=False)
    ground = torch.tensor(BACKGROUNDS[view.background])[None, :, None, None]
    return (seen[:, :3] + (1 - seen[:, 3:]) * ground).clamp(0, 1)


def _camera(view: View) -> torch.Tensor:
    """Return the (2, 3) matrix from places in the photograph to places on the thing."""
    angle, (x, y) = math.radians(view.turn), view.shift
    cosine, sine = math.cos(angle) / view.zoom, math.sin(angle) / view.zoom
    return torch.tensor([[cosine, sine, -cosine * x - sine * y], [-sine, cosine, sine * x - cosine * y]])


def write_concept(pictures: torch.Tensor, folder: Path) -> None:
    """Write the pictures as PNG files."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    pixels = (pictures * 255).round().byte().permute(0, 2, 3, 1).numpy()
    for number, picture in enumerate(pixels, start=1):
        Image.fromarray(picture).save(folder / f"sks_{CONCEPT.word}_{number}.png", optimize=True)
