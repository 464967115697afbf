"""Base-model families: one small data file each; this folder is the registry."""

from .family import Family, Part, Pipeline, all_families, audited, get, of_base, pipelines, tag_forms

__all__ = ["Family", "Part", "Pipeline", "all_families", "audited", "get", "of_base", "pipelines", "tag_forms"]
