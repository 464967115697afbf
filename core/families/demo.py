"""The tiny demo base of this repository: SD1 topology, a few million weights.

It has no `context_width`: its 32 is common among tiny test models, so metadata has to name it.
"""

from .family import Family
from .sd15 import PIPELINE

FAMILY = Family(
    name="demo",
    title="OWF demo base",
    hub_id=None,
    prediction_type="epsilon",
    resolution=64,
    architectures=("owf-demo",),
    base_versions=("owf_demo",),
    pipeline=PIPELINE,
    trains=True,
    settings=(("cross_attention_dim", 32), ("sample_size", 8)),
    knows_tags=False,
)
