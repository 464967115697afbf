"""Stable Diffusion 2.x."""

from .family import Family, Recipe
from .sd15 import PIPELINE
from .variants import FEW_STEPS

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
    drawings=(FEW_STEPS,),
    # Usual for DreamBooth-LoRA on a few pictures; not measured here.
    recipes=(("quick", Recipe(steps=500, batch=1, rate=2e-4)), ("standard", Recipe(steps=1000, batch=1, rate=1e-4))),
    settings=(("cross_attention_dim", 1024),),
)
