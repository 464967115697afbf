"""Z-Image."""

from .family import Family

FAMILY = Family(
    name="z_image",
    title="Z-Image",
    hub_id="Tongyi-MAI/Z-Image-Turbo",
    prediction_type="flow",
    resolution=1024,
    markers=(("layers_", "attention_to_q", "feed_forward_w"), ("layers_", "attention_qkv:3840")),
    base_versions=("zimage",),
    architectures=("z-image",),
)
