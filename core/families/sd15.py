"""Stable Diffusion 1.x."""

from .family import Family

FAMILY = Family(
    name="sd15",
    title="Stable Diffusion 1.5",
    hub_id="stable-diffusion-v1-5/stable-diffusion-v1-5",
    prediction_type="epsilon",
    resolution=512,
    context_width=768,
    base_versions=("sd_v1", "sd_1.5", "SD 1"),
    architectures=("stable-diffusion-v1",),
    text_widths=(("text_encoder", 768),),
)
