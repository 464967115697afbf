"""The tiny demo base of this repository: SD1 topology, a few million weights.

It has no `context_width`: its 32 is common among tiny test models, so metadata has to name it. What audits ask of it
stands in `plan/demo.py`, its prompt bank in `train/data/banks/demo.txt`.
"""

from ..demo import DEMO_BASE, DEMO_FEATURES, DEMO_PROBES
from .family import Family, Shipped
from .sd15 import PIPELINE

FAMILY = Family(
    name="demo",
    title="OWF demo base",
    hub_id=None,
    prediction_type="epsilon",
    resolution=64,
    architectures=("owf-demo",),
    base_versions=("owf_demo",),
    ships=Shipped(DEMO_BASE, DEMO_FEATURES, DEMO_PROBES),
    pipeline=PIPELINE,
    trains=True,
    settings=(("cross_attention_dim", 32), ("sample_size", 8)),
    knows_tags=False,
)
