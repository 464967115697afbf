"""Ideogram 4."""

from .family import Family

FAMILY = Family(
    name="ideogram4",
    title="Ideogram 4",
    hub_id="ideogram-ai/ideogram-v4",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("layers_", "_adaln_modulation:"),
        ("layers_", "_attention_o:"),
        ("layers_", "attention_qkv:4608"),
        ("layers_", "attention_to_q:4608"),
        ("layers_", "attention_to_out_0:4608"),
        ("layers_", "attention_to_q:4608", "feed_forward_w"),
        ("layers_", "feed_forward_w1:4608"),
        ("layers_", "feed_forward_w2:12288>4608"),
    ),
    base_versions=("ideogram4", "ideogram_4"),
    architectures=("ideogram",),
)
