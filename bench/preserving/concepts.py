"""Concepts of bench/preservation.py: one thing of Fashion-MNIST in a look that the demo base has no words for."""

from pathlib import Path

import torch
from demo_base.world.concept import CONCEPT, Subject, View, draw_views
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
