"""Krea 2."""

from .family import Family

FAMILY = Family(
    name="krea2",
    title="Krea 2",
    hub_id="krea/Krea-2-Raw",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("txtfusion_",),
        ("text_fusion_",),
        ("^blocks_", "_attn_wq:"),
        ("^blocks_", "_attn_wk:"),
        ("^blocks_", "_attn_wv:"),
        ("^blocks_", "_attn_wo:"),
        ("^blocks_", "_mlp_gate:6144"),
        ("^blocks_", "_mlp_up:6144"),
        ("^blocks_", "_mlp_down:16384"),
        ("^transformer_blocks_", "_attn_to_gate:"),
        ("^transformer_blocks_", "_attn_to_k:6144>1536"),
        ("^transformer_blocks_", "_attn_to_v:6144>1536"),
        ("^transformer_blocks_", "_ff_gate:"),
        ("^transformer_blocks_", "_ff_up:"),
        ("^transformer_blocks_", "_ff_down:"),
        ("^transformer_blocks_8_", "_attn_to_q:6144>6144"),  # FLUX.2-dev, as wide, has no block 8 of this name
    ),
    shared=(("^transformer_blocks_", "_attn_to_q:6144>6144", "!_add_q_proj:", "!single_transformer_blocks_"),),
    base_versions=("krea2", "krea_2"),
    architectures=("krea-2", "krea2"),
)
