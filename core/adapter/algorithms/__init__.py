"""Ways to write down a weight change: one file each; this folder is the registry."""

from .algorithm import Algorithm, Stated, all_algorithms, find
from .shapes import Outline, Shapes

__all__ = ["Algorithm", "Outline", "Shapes", "Stated", "all_algorithms", "find"]
