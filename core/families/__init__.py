"""Base-model families: one small data file each; this folder is the registry."""

from .family import RECIPES, Family, Recipe, all_families, get

__all__ = ["RECIPES", "Family", "Recipe", "all_families", "get"]
