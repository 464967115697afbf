"""Wan 2.x video models. Those of Wan 2.2 with 14 billion weights are two networks; see `adapter/naming/halves.py`."""

from .family import Family

FAMILY = Family(
    name="wan",
    title="Wan",
    hub_id="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
    prediction_type="flow",
    resolution=480,
    markers=(
        ("^blocks_", "_self_attn_q:"),
        ("^blocks_", "_self_attn_k:"),
        ("^blocks_", "_cross_attn_q:"),
        ("^blocks_", "_cross_attn_k:"),
        ("^blocks_", "_ffn_0:"),
        ("^blocks_", "_ffn_2:"),
        ("^blocks_", "_attn1_to_q:"),
        ("^blocks_", "_attn2_to_q:"),
        ("^blocks_", "_ffn_net_"),
    ),
    architectures=("wan",),
    base_versions=("wan",),
)
