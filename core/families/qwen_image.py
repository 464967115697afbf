"""Qwen-Image."""

from .family import Family

FAMILY = Family(
    name="qwen_image",
    title="Qwen-Image",
    hub_id="Qwen/Qwen-Image",
    prediction_type="flow",
    resolution=1328,
    markers=(
        ("transformer_blocks_", "img_mod"),
        ("transformer_blocks_", "img_mlp", "add_q_proj"),
        ("transformer_blocks_", "img_mlp", "to_add_out"),
        ("transformer_blocks_40_", "_attn_to_q:3072"),
        ("transformer_blocks_", "img_mlp_net"),
    ),
    shared=(("^transformer_blocks_", "_attn_to_q:3072>3072", "!single_transformer_blocks_", "!_ff_"),),  # FLUX.1's
    base_versions=("qwen_image",),
    architectures=("qwen-image",),
)
