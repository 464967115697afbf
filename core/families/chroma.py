"""Chroma, a FLUX.1 relative without modulation layers."""

from .family import Family

FAMILY = Family(
    name="chroma",
    title="Chroma",
    hub_id="lodestones/Chroma1-HD",
    prediction_type="flow",
    resolution=1024,
    markers=(("distilled_guidance_layer_",), ("distilled_guidance_layer_", "blocks_")),
    base_versions=("chroma",),
    architectures=("chroma",),
)
