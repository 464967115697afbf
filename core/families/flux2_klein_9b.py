"""FLUX.2 klein, of 9 billion weights."""

from .family import Family
from .flux import RECIPES_OF_TRANSFORMERS
from .flux2_klein import DRAWINGS, PIPELINE

FAMILY = Family(
    name="flux2_klein_9b",
    title="FLUX.2 klein 9B",
    hub_id="black-forest-labs/FLUX.2-klein-9B",
    prediction_type="flow",
    resolution=1024,
    smaller=512,
    markers=(
        ("double_blocks_", "img_attn_qkv:4096"),
        ("double_blocks_", "txt_attn_qkv:4096"),
        ("double_blocks_", "img_mlp_0:4096>24576"),
        ("double_blocks_", "img_mlp_2:12288>4096"),
        ("single_blocks_", "linear1:4096>36864"),
        ("single_blocks_", "linear2:16384>4096"),
        ("single_transformer_blocks_", "attn_to_qkv_mlp_proj:4096"),
        ("single_transformer_blocks_", "_attn_to_out:16384>4096"),
        ("^transformer_blocks_", "_attn_add_q_proj:4096"),
        ("^transformer_blocks_", "_ff_linear_in:4096>24576"),
    ),
    shared=(
        ("^transformer_blocks_", "_attn_to_q:4096", "!_img_mlp_", "!^transformer_blocks_8_"),
    ),  # which is Qwen-Image 2.1's too
    base_versions=("flux2_klein_9b", "flux_2_klein_9b"),
    architectures=("flux-2", "flux.2"),
    pipeline=PIPELINE,
    of_its_size=("black-forest-labs/FLUX.2-klein-base-9B",),
    trains=True,
    recipes=RECIPES_OF_TRANSFORMERS,
    settings=(("joint_attention_dim", 12288),),
    drawings=DRAWINGS,
)
