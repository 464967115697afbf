"""Sana."""

from .family import Family

FAMILY = Family(
    name="sana",
    title="Sana",
    hub_id="Efficient-Large-Model/Sana_1600M_1024px_diffusers",
    prediction_type="flow",
    resolution=1024,
    markers=(("transformer_blocks_", "conv_inverted"),),
    architectures=("sana",),
)
