"""Base-model families: one small data file each; this folder is the registry."""

from .family import (
    RECIPES,
    Family,
    Part,
    Pipeline,
    Recipe,
    Shipped,
    all_families,
    audited,
    get,
    of_base,
    pipelines,
    shipped,
    tag_forms,
)

__all__ = [
    "RECIPES",
    "Family",
    "Part",
    "Pipeline",
    "Recipe",
    "Shipped",
    "all_families",
    "audited",
    "get",
    "of_base",
    "pipelines",
    "shipped",
    "tag_forms",
]
