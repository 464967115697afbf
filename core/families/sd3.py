"""Stable Diffusion 3 and 3.5."""

from .family import Family

FAMILY = Family(
    name="sd3",
    title="Stable Diffusion 3",
    hub_id="stabilityai/stable-diffusion-3.5-medium",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("joint_blocks_",),
        ("transformer_blocks_", "attn_add_k_proj", "norm1_context", "!single_transformer_blocks_"),
        ("transformer_blocks_", "_attn_to_q:1536"),
        ("transformer_blocks_", "_attn_to_q:2432"),
    ),
    base_versions=("sd3",),
    architectures=("stable-diffusion-3",),
)
