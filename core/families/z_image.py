"""Z-Image."""

from .family import Family

FAMILY = Family(
    name="z_image",
    title="Z-Image",
    hub_id="Tongyi-MAI/Z-Image-Turbo",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("layers_", "attention_to_q", "feed_forward_w", "!_adaln_modulation:"),
        ("layers_", "attention_to_q:3840"),
        ("layers_", "attention_to_k:3840"),
        ("layers_", "attention_to_out_0:3840"),
        ("layers_", "attention_qkv:3840"),
        ("layers_", "attention_out:3840"),
        ("layers_", "feed_forward_w1:3840"),
        ("layers_", "feed_forward_w2:10240"),
        ("refiner_", "attention_to_q:3840"),
    ),
    base_versions=("zimage", "z_image"),
    architectures=("z-image",),
)
