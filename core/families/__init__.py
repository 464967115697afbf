"""Base-model families: one small data file each; this folder is the registry."""

from .family import OTHER_INPUTS, Family, Part, Pipeline, all_families, audited, get, of_base, pipelines, tag_forms

__all__ = [
    "OTHER_INPUTS",
    "Family",
    "Part",
    "Pipeline",
    "all_families",
    "audited",
    "get",
    "of_base",
    "pipelines",
    "tag_forms",
]
