"""Concepts of bench/preservation.py: one thing of Fashion-MNIST in a look that the demo base has no words for."""

from pathlib import Path

import numpy as np
import torch
from demo_base.world.concept import CONCEPT, HELD_OUT, VIEWS, Subject, View, draw_views
from demo_base.world.drawing import FASHION, read_split
from demo_base.world.splits import split_held_out

TUNING = Subject("dress", 12, "slanted halves")
"""Weights are chosen on this concept alone."""
CONCEPTS = (CONCEPT, Subject("bag", 31, "rainbow"), Subject("coat", 7, "cross"), Subject("t-shirt", 5, "target"))
"""Concepts that methods are compared on."""


def photographs_of(concept: Subject, views: tuple[View, ...], fashion: Path = FASHION) -> torch.Tensor:
    """Return uint8 pictures (N, 3, 96, 96) of the concept, one per view."""
    images, labels = read_split(fashion, "t10k")
    pictures = draw_views(concept, views, images, labels, split_held_out(labels).concept)
    return (pictures * 255).round().byte()


def write_sheet(path: Path, fashion: Path = FASHION) -> None:
    """Write a picture of all concepts: training views, then held-out ones."""
    from PIL import Image

    rows = [torch.cat(list(photographs_of(c, VIEWS + HELD_OUT, fashion)), dim=2) for c in (TUNING, *CONCEPTS)]
    Image.fromarray(np.ascontiguousarray(torch.cat(rows, dim=1).permute(1, 2, 0).numpy())).save(path)
