"""The tiny demo base of this repository: SD1 topology, a few million weights."""

from .family import Family

FAMILY = Family(
    name="demo",
    title="OWF demo base",
    hub_id=None,
    prediction_type="epsilon",
    resolution=64,
    context_width=64,
    text_widths=(("text_encoder", 64),),
    architectures=("owf-demo",),
    base_versions=("owf_demo",),
)
