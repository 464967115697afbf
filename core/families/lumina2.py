"""Lumina-Image 2."""

from .family import Family

FAMILY = Family(
    name="lumina2",
    title="Lumina-Image 2.0",
    hub_id="Alpha-VLLM/Lumina-Image-2.0",
    prediction_type="flow",
    resolution=1024,
    markers=(("layers_", "attention_qkv"), ("layers_", "attn_to_q", "feed_forward_linear")),
    base_versions=("lumina2",),
    architectures=("lumina-2",),
)
