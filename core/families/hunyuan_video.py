"""HunyuanVideo."""

from .family import Family

FAMILY = Family(
    name="hunyuan_video",
    title="HunyuanVideo",
    hub_id="hunyuanvideo-community/HunyuanVideo",
    prediction_type="flow",
    resolution=720,
    markers=(
        ("double_blocks_", "img_attn_q_"),
        ("token_refiner",),
        # Names of Tencent's code: FLUX.1 numbers the layers of its feed-forwards, and has 19 and 38 blocks.
        *(("double_blocks_", f"_{stream}_mlp_fc", f"_mlp_fc{n}:") for stream in ("img", "txt") for n in (1, 2)),
        *(("double_blocks_", f"_{stream}_mod_", "_mod_linear:") for stream in ("img", "txt")),
        ("single_blocks_", "_modulation_", "_modulation_linear:"),
        *(
            ("double_blocks_", "double_blocks_19_", f"_{layer}:", "!:6144", "!:4096")
            for layer in ("attn_qkv", "attn_proj")
        ),
        ("single_blocks_", "single_blocks_38_", "_linear1:3072>21504"),
        ("single_blocks_", "single_blocks_38_", "_linear2:15360>3072"),
    ),
    shared=(  # the blocks of FLUX.1
        ("double_blocks_", "_attn_qkv:3072", "!img_mlp_0:3072>18432", "!linear1:3072>27648"),
        ("single_blocks_", "linear1:3072>21504"),
    ),
    architectures=("hunyuan",),
    base_versions=("hunyuan",),
)
