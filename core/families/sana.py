"""Sana."""

from .family import Family

FAMILY = Family(
    name="sana",
    title="Sana",
    hub_id="Efficient-Large-Model/Sana_1600M_1024px_diffusers",
    prediction_type="flow",
    resolution=1024,
    markers=(("transformer_blocks_", "conv_inverted"), ("transformer_blocks_", "_attn1_to_q:2240")),
    architectures=("sana",),
)
