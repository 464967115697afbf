"""PixArt alpha and sigma."""

from .family import Family

FAMILY = Family(
    name="pixart",
    title="PixArt",
    hub_id="PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
    prediction_type="epsilon",
    resolution=1024,
    markers=(("transformer_blocks_", "adaln_single"), ("transformer_blocks_", "_attn1_to_q:1152")),
    architectures=("pixart",),
)
