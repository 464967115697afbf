"""Base-model families: one small data file each; this folder is the registry."""

from .family import Family, all_families, get, shipped

__all__ = ["Family", "all_families", "get", "shipped"]
