"""Qwen-Image 2.1, whose blocks are not those of Qwen-Image."""

from .family import Family

FAMILY = Family(
    name="qwen_image_21",
    title="Qwen-Image 2.1",
    hub_id="Qwen/Qwen-Image-2.1",
    prediction_type="flow",
    resolution=1328,
    markers=(
        ("^transformer_blocks_", "_img_mlp_gate_layer:"),
        ("^transformer_blocks_", "_img_mlp_proj:"),
        ("^transformer_blocks_", "_img_mlp_out:"),
        ("^transformer_blocks_", "_attn_to_q:4096", "!_add_q_proj", "!single_transformer_blocks_"),
    ),
    base_versions=("qwen_image_21", "qwen_image_2.1", "qwen_image_2_1"),
    architectures=("qwen-image-2.1", "qwen-image-21"),
)
