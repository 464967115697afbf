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
    layers_of,
    of_base,
    of_hub_id,
    pipelines,
    shipped,
    tag_forms,
)
from .layers import Layer, Layers, LivePart, flat
from .targets import ATTENTION, Targets
from .variants import DRAWN_AS, USUAL, Decided, Drawing, decide

__all__ = [
    "ATTENTION",
    "DRAWN_AS",
    "OTHER_INPUTS",
    "RECIPES",
    "USUAL",
    "Decided",
    "Drawing",
    "Family",
    "Layer",
    "Layers",
    "LivePart",
    "Part",
    "Pipeline",
    "Recipe",
    "Shipped",
    "Targets",
    "all_families",
    "audited",
    "decide",
    "flat",
    "get",
    "layers_of",
    "of_base",
    "of_hub_id",
    "pipelines",
    "shipped",
    "tag_forms",
]
