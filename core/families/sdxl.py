"""Stable Diffusion XL."""

from .family import Family

FAMILY = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    hub_id="stabilityai/stable-diffusion-xl-base-1.0",
    prediction_type="epsilon",
    resolution=1024,
    context_width=2048,
    base_versions=("sdxl",),
    architectures=("stable-diffusion-xl",),
    text_widths=(("text_encoder", 768), ("text_encoder_2", 1280)),
)
