"""LTX-Video."""

from .family import Family

FAMILY = Family(
    name="ltx_video",
    title="LTX-Video",
    hub_id="Lightricks/LTX-Video",
    prediction_type="flow",
    resolution=512,
    markers=(
        ("transformer_blocks_", "attn1_to_q", "patchify_proj"),
        # Anima, as wide, has modulations of these names; what reads prompts is square here, and there it is not.
        ("transformer_blocks_", "_attn1_to_q:2048", "!_norm1_linear_", "!_attn2_to_k:2048>1024"),
    ),
    architectures=("ltx",),
    base_versions=("ltx",),
)
