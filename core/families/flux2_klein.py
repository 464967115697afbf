"""FLUX.2 klein, of 4 billion weights."""

from .family import Family

_OF_FLUX_1 = (
    *(f"!^{blocks}_{number}_" for blocks in ("double_blocks", "transformer_blocks") for number in range(5, 19)),
    *("!:3072>12288", "!:3072>21504", "!:15360>3072", "!_mod_lin", "!modulation_lin", "!norm1_linear"),
)
"""What only FLUX.1, which is as wide, has: double blocks after the fifth, feed-forwards without a gate, modulation."""

FAMILY = Family(
    name="flux2_klein",
    title="FLUX.2 klein 4B",
    hub_id="black-forest-labs/FLUX.2-klein-4B",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("double_blocks_", "img_mlp_0:3072>18432"),
        ("double_blocks_", "img_mlp_2:9216>3072"),
        ("double_blocks_", "txt_mlp_0:3072>18432"),
        ("double_blocks_", "txt_mlp_2:9216>3072"),
        ("single_blocks_", "linear1:3072>27648"),
        ("single_blocks_", "linear2:12288>3072"),
        ("single_transformer_blocks_", "attn_to_qkv_mlp_proj:3072"),
        ("single_transformer_blocks_", "_attn_to_out:12288>3072"),
        ("^transformer_blocks_", "_ff_linear_in:3072>18432"),
        ("^transformer_blocks_", "_ff_linear_out:9216>3072"),
    ),
    shared=(  # attention of double blocks, which looks like that of FLUX.1
        ("^double_blocks_", "_attn_qkv:3072", *_OF_FLUX_1),
        ("^double_blocks_", "_attn_proj:3072", *_OF_FLUX_1),
        ("^transformer_blocks_", "_attn_to_q:3072", *_OF_FLUX_1),
    ),
    base_versions=("flux2_klein_4b", "flux_2_klein_4b"),
    architectures=("flux-2", "flux.2"),
)
