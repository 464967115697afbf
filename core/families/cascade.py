"""Stable Cascade."""

from .family import Family

FAMILY = Family(
    name="cascade",
    title="Stable Cascade",
    hub_id="stabilityai/stable-cascade",
    prediction_type="epsilon",
    resolution=1024,
    markers=(("down_blocks_", "attention_to_q", "kv_mapper"),),
    architectures=("stable-cascade",),
    base_versions=("stable_cascade",),
)
