"""Base-model families: one small data file each; this folder is the registry."""

from .family import (
    OTHER_INPUTS,
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
    "OTHER_INPUTS",
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
