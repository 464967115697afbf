"""FLUX.2."""

from .family import Family

FAMILY = Family(
    name="flux2",
    title="FLUX.2",
    hub_id="black-forest-labs/FLUX.2-dev",
    prediction_type="flow",
    resolution=1024,
    markers=(("single_transformer_blocks_", "to_qkv_mlp_proj"), ("double_blocks_", "img_attn_qkv:6144")),
    base_versions=("flux2",),
    architectures=("flux-2", "flux.2"),
)
