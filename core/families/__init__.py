"""Base-model families: one small data file each; this folder is the registry."""

from .family import Family, Part, Pipeline, Shipped, all_families, audited, get, of_base, pipelines, shipped, tag_forms

__all__ = [
    "Family",
    "Part",
    "Pipeline",
    "Shipped",
    "all_families",
    "audited",
    "get",
    "of_base",
    "pipelines",
    "shipped",
    "tag_forms",
]
