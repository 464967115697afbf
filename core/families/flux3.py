"""FLUX.3."""

from .family import Family

_SINGLE = "^single_transformer_blocks_"
# What these end in stands in double blocks of others too, so that number and ending must be of one layer.
_OF_SINGLE_BLOCKS = tuple(
    (_SINGLE, f"{_SINGLE}{number}_{layer}")
    for number in range(28)
    for layer in ("ff_linear_in:3072>18432", "ff_linear_out:9216>3072", "attn_to_out_0:3072")
)

FAMILY = Family(
    name="flux3",
    title="FLUX.3",
    hub_id="black-forest-labs/flux-3-image-klein-base",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("mode_blocks_",),
        (_SINGLE, "mode_blocks_"),
        ("^single_blocks_", "_q_proj:"),
        ("^single_blocks_", "_mlp_in:"),
        ("^single_blocks_", "_attn_out:"),
        *_OF_SINGLE_BLOCKS,
    ),
    base_versions=("flux3", "flux_3"),
    architectures=("flux-3", "flux.3"),
)
