"""Anima, and Cosmos-Predict2 of 2 billion weights, from which it was made: their layers have the same names."""

from .family import Family

FAMILY = Family(
    name="anima",
    title="Anima",
    hub_id="circlestone-labs/Anima-Base-v1.0-Diffusers",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("^text_conditioner_",),
        ("^blocks_", "_self_attn_q_proj:"),
        ("^blocks_", "_self_attn_k_proj:"),
        ("^blocks_", "_self_attn_v_proj:"),
        ("^blocks_", "_self_attn_output_proj:"),
        ("^blocks_", "_cross_attn_q_proj:"),
        ("^blocks_", "_cross_attn_k_proj:"),
        ("^blocks_", "_cross_attn_output_proj:"),
        ("^blocks_", "_mlp_layer1:"),
        ("^blocks_", "_mlp_layer2:"),
        ("^blocks_", "_adaln_modulation_"),
        ("^transformer_blocks_", "_attn1_to_q:2048", "_attn2_to_k:1024"),
        ("^transformer_blocks_", "_attn2_to_k:1024>2048"),
        ("^transformer_blocks_", "_norm1_linear_1:2048>256"),
    ),
    shared=(("^transformer_blocks_", "_attn1_to_q:2048>2048", "!_attn2_to_k:2048"),),  # LTX-Video's
    base_versions=("anima",),
    architectures=("anima",),
)
