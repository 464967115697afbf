"""Wan 2.x video models."""

from .family import Family

FAMILY = Family(
    name="wan",
    title="Wan",
    hub_id="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
    prediction_type="flow",
    resolution=480,
    markers=(("blocks_", "self_attn_q", "cross_attn_"), ("blocks_", "attn1_to_q", "attn2_to_q", "ffn_net")),
    architectures=("wan",),
    base_versions=("wan",),
)
