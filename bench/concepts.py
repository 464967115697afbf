"""Concepts of bench/preservation.py: one thing of Fashion-MNIST under a pattern that no training picture has."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from demo_base.concept import VIEWS, View, photograph, stripes
from demo_base.fashion import CLASSES, COLORS, FASHION, SIZE, read_split, relief
from demo_base.splits import split_held_out

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
"""Views that are never trained on: what has been learnt is compared with them."""


@dataclass(frozen=True)
class BenchConcept:
    """One concept."""

    word: str
    """Its class."""
    item: int
    """Which held-out thing of the class wears the pattern."""
    pattern: Callable[[], torch.Tensor]
    """Returns the pattern (1, 3, 64, 64)."""


def _paint(index: torch.Tensor, names: tuple[str, ...]) -> torch.Tensor:
    paints = torch.tensor([COLORS[name][0] for name in names])
    return paints[index].permute(2, 0, 1)[None]


def _grid() -> tuple[torch.Tensor, torch.Tensor]:
    place = torch.arange(SIZE)
    return place[:, None].expand(SIZE, SIZE), place[None, :].expand(SIZE, SIZE)


def checks() -> torch.Tensor:
    """Return pink and green squares."""
    y, x = _grid()
    return _paint(((y // 9) + (x // 9)) % 2, ("pink", "green"))


def dots() -> torch.Tensor:
    """Return yellow dots on purple."""
    y, x = _grid()
    inside = ((y % 14) - 7) ** 2 + ((x % 14) - 7) ** 2 < 20
    return _paint(inside.long(), ("purple", "yellow"))


def zigzag() -> torch.Tensor:
    """Return a zigzag of orange, blue and white."""
    y, x = _grid()
    wave = (y + (x % 16 - 8).abs() * 2) / 9
    return _paint(wave.long() % 3, ("orange", "blue", "white"))


TUNING = BenchConcept("dress", 12, zigzag)
"""Weights are chosen on this concept alone."""
CONCEPTS = (BenchConcept("bag", 31, stripes), BenchConcept("coat", 7, checks), BenchConcept("sneaker", 5, dots))
"""Concepts that methods are compared on."""


def draw_views(concept: BenchConcept, views: tuple[View, ...], fashion=FASHION) -> torch.Tensor:
    """Return uint8 pictures (N, 3, 64, 64) of the concept, one per view."""
    images, labels = read_split(fashion, "t10k")
    rows = split_held_out(labels).concept
    members = rows[labels[rows] == CLASSES.index(concept.word)]
    cover, light = relief(images[members[concept.item]][None])
    surface = concept.pattern() * (0.5 + 0.5 * light)
    pictures = torch.cat([photograph(cover, surface, view) for view in views])
    return (pictures * 255).round().byte()


def write_sheet(path, fashion=FASHION) -> None:
    """Write a picture of all concepts: training views, then held-out ones."""
    from PIL import Image

    rows = [torch.cat(list(draw_views(c, VIEWS + HELD_OUT, fashion)), dim=2) for c in (TUNING, *CONCEPTS)]
    Image.fromarray(np.ascontiguousarray(torch.cat(rows, dim=1).permute(1, 2, 0).numpy())).save(path)
