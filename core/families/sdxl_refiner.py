"""The refiner of Stable Diffusion XL, which goes on where another model stops: it is recognised, and not audited.

No text widths: it reads with the second encoder of Stable Diffusion XL alone, whose LoRAs are nearly always for that.
"""

from .family import Family

FAMILY = Family(
    name="sdxl_refiner",
    title="the refiner of Stable Diffusion XL",
    hub_id="stabilityai/stable-diffusion-xl-refiner-1.0",
    prediction_type="epsilon",
    resolution=1024,
    context_width=1280,
    architectures=("stable-diffusion-xl-v1-refiner",),
)
