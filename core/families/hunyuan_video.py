"""HunyuanVideo."""

from .family import Family

FAMILY = Family(
    name="hunyuan_video",
    title="HunyuanVideo",
    hub_id="hunyuanvideo-community/HunyuanVideo",
    prediction_type="flow",
    resolution=720,
    markers=(("double_blocks_", "img_attn_q_"), ("token_refiner",)),
    architectures=("hunyuan",),
    base_versions=("hunyuan",),
)
