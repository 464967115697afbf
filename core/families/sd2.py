"""Stable Diffusion 2.x."""

from .family import Family
from .sd15 import PIPELINE

FAMILY = Family(
    name="sd2",
    title="Stable Diffusion 2.1",
    hub_id="stabilityai/stable-diffusion-2-1-base",
    prediction_type="epsilon",
    resolution=512,
    context_width=1024,
    base_versions=("sd_v2", "SD 2"),
    architectures=("stable-diffusion-v2",),
    text_widths=(("text_encoder", 1024),),
    pipeline=PIPELINE,
    trains=True,
    settings=(("cross_attention_dim", 1024),),
)
