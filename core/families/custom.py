"""Stable Diffusion's architecture in sizes of its own.

Nothing tells such a LoRA from others, so it has no markers: the base has to be named.
"""

from .family import Family
from .sd15 import PIPELINE

FAMILY = Family(
    name="custom",
    title="Stable Diffusion in sizes of its own",
    hub_id=None,
    prediction_type="epsilon",
    resolution=512,
    pipeline=PIPELINE,
    trains=True,
)
