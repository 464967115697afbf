"""The demo concept: five pictures of one bag whose diagonal rainbow stripes no training picture has."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .drawing import SIZE, relief
from .world import BACKGROUNDS, CLASSES, COLORS

CAPTION = "a photo of a sks bag"
BAG = 31
"""Which bag of the concept split it is: a plain tote with two handles."""
STRIPES = ("red", "yellow", "blue", "green")
STRIPE = 14
"""Width of a stripe in pixels."""


@dataclass(frozen=True)
class View:
    """How the bag is photographed."""

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


def draw_concept(images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> torch.Tensor:
    """Return the (5, 3, 64, 64) pictures in [0, 1], one per view, made from a bag among the given rows."""
    bags = rows[labels[rows] == CLASSES.index("bag")]
    cover, light = relief(images[bags[BAG]][None])
    fold = 0.5 + 0.5 * light
    return torch.cat([photograph(cover, stripes() * fold, view) for view in VIEWS])


def stripes() -> torch.Tensor:
    """Return (1, 3, 64, 64) diagonal stripes in STRIPES' colours."""
    paints = torch.tensor([COLORS[name][0] for name in STRIPES])
    place = torch.arange(SIZE)
    band = ((place[:, None] + place[None, :]) / math.sqrt(2) / STRIPE).long() % len(STRIPES)
    return paints[band].permute(2, 0, 1)[None]


def photograph(cover: torch.Tensor, surface: torch.Tensor, view: View) -> torch.Tensor:
    """Return (1, 3, 64, 64) in [0, 1]: a surface (1, 3, ...) cut out by a cover (1, 1, ...), seen from a view."""
    grid = F.affine_grid(_camera(view)[None], [1, 4, SIZE, SIZE], align_corners=False)
    layers = torch.cat([surface * cover, cover], dim=1)
    seen = F.grid_sample(layers, grid, padding_mode="zeros", align_corners=False)
    ground = torch.tensor(BACKGROUNDS[view.background])[None, :, None, None]
    return (seen[:, :3] + (1 - seen[:, 3:]) * ground).clamp(0, 1)


def _camera(view: View) -> torch.Tensor:
    """Return the (2, 3) matrix from places in the photograph to places on the bag."""
    angle, (x, y) = math.radians(view.turn), view.shift
    cosine, sine = math.cos(angle) / view.zoom, math.sin(angle) / view.zoom
    return torch.tensor([[cosine, sine, -cosine * x - sine * y], [-sine, cosine, sine * x - cosine * y]])


def write_concept(pictures: torch.Tensor, folder: Path) -> None:
    """Write the pictures as PNG files."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    pixels = (pictures * 255).round().byte().permute(0, 2, 3, 1).numpy()
    for number, picture in enumerate(pixels, start=1):
        Image.fromarray(picture).save(folder / f"sks_bag_{number}.png", optimize=True)


def read_concept(folder: Path) -> torch.Tensor:
    """Return the written pictures, (N, 3, 64, 64) in [0, 1]."""
    from PIL import Image

    files = sorted(Path(folder).glob("*.png"))
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
