"""FLUX.1 and its relatives with the same blocks."""

from .family import Family

FAMILY = Family(
    name="flux",
    title="FLUX.1",
    hub_id="black-forest-labs/FLUX.1-dev",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("double_blocks_", "single_blocks_"),
        ("double_blocks_", "img_attn"),
        ("double_blocks_", "txt_attn"),
        ("double_blocks_", "img_mlp_0:3072>12288"),
        ("double_blocks_", "img_mlp_2:12288>3072"),
        ("double_blocks_", "txt_mlp_0:3072>12288"),
        ("double_blocks_", "txt_mlp_2:12288>3072"),
        ("double_blocks_", "processor"),
        ("single_blocks_", "linear1"),
        ("single_transformer_blocks_", "!joint_transformer_blocks_", "!token_refiner"),
        ("^transformer_blocks_", "_attn_to_q:3072"),
    ),
    base_versions=("flux1", "flux"),
    architectures=("flux-1", "flux.1"),
)
