"""Chroma, a FLUX.1 relative without modulation layers."""

from .family import Family

FAMILY = Family(
    name="chroma",
    title="Chroma",
    hub_id="lodestones/Chroma1-HD",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("distilled_guidance_layer_",),
        ("distilled_guidance_layer_", "blocks_"),
        ("distilled_guidance_layer_", "blocks_", "_attn_"),
    ),
    shared=(  # the blocks of FLUX.1, but for what modulates them
        ("double_blocks_", ":3072>", "!_mod_lin", "!modulation_lin", "!:3072>27648", "!:3072>18432"),
        ("single_blocks_", ":3072>", "!_mod_lin", "!modulation_lin", "!:3072>27648", "!:3072>18432"),
        ("transformer_blocks_", "_attn_to_", ":3072>", "!norm1_linear", "!norm1_context_linear", "!_norm_linear"),
    ),
    base_versions=("chroma",),
    architectures=("chroma",),
)
