"""HunyuanVideo."""

from .family import Family

FAMILY = Family(
    name="hunyuan_video",
    title="HunyuanVideo",
    hub_id="hunyuanvideo-community/HunyuanVideo",
    prediction_type="flow",
    resolution=720,
    markers=(("double_blocks_", "img_attn_q_"), ("token_refiner",)),
    shared=(  # the blocks of FLUX.1
        ("double_blocks_", "_attn_qkv:3072", "!img_mlp_0:3072>18432", "!linear1:3072>27648"),
        ("single_blocks_", "linear1:3072>21504"),
    ),
    architectures=("hunyuan",),
    base_versions=("hunyuan",),
)
