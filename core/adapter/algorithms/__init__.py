"""Ways to write down a weight change: one file each; this folder is the registry."""

from .algorithm import Algorithm, Outline, all_algorithms, find

__all__ = ["Algorithm", "Outline", "all_algorithms", "find"]
