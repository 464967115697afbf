"""FLUX.2-dev, of 32 billion weights."""

from .family import Family
from .flux2_klein import PIPELINE

FAMILY = Family(
    name="flux2",
    title="FLUX.2",
    hub_id="black-forest-labs/FLUX.2-dev",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("single_transformer_blocks_", "to_qkv_mlp_proj"),
        ("double_blocks_", "img_attn_qkv:6144"),
        ("double_blocks_", "txt_attn_qkv:6144"),
        ("double_blocks_", "img_mlp_0:6144>36864"),
        ("single_blocks_", "linear1:6144>55296"),
        ("single_blocks_", "linear2:24576>6144"),
        ("^transformer_blocks_", "_attn_add_q_proj:6144"),
        ("^transformer_blocks_", "_ff_linear_in:6144"),
    ),
    shared=(("^transformer_blocks_", "_attn_to_q:6144>6144", "!_to_gate:", "!:6144>1536", "!^transformer_blocks_8_"),),
    base_versions=("flux2", "flux_2"),
    architectures=("flux-2", "flux.2"),
    layers=PIPELINE.layers,
)
