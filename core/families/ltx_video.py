"""LTX-Video."""

from .family import Family

FAMILY = Family(
    name="ltx_video",
    title="LTX-Video",
    hub_id="Lightricks/LTX-Video",
    prediction_type="flow",
    resolution=512,
    markers=(("transformer_blocks_", "attn1_to_q", "patchify_proj"), ("transformer_blocks_", "_attn1_to_q:2048")),
    architectures=("ltx",),
    base_versions=("ltx",),
)
