"""The tiny demo base of this repository: SD1 topology, a few million weights.

It has no `context_width`: tiny test models are as narrow, so metadata has to name it. What audits ask of it
stands in `plan/demo.py`, its prompt bank in `train/data/banks/demo.txt`, other looks of what it knows in
`audit/learned/looks/demo.txt`.
"""

from ..demo import DEMO_BASE, DEMO_CONCEPT, DEMO_FEATURES, DEMO_PROBES
from .family import Family, Recipe, Shipped
from .sd15 import PIPELINE

FAMILY = Family(
    name="demo",
    title="OWF demo base",
    hub_id=None,
    prediction_type="epsilon",
    resolution=96,
    architectures=("owf-demo",),
    base_versions=("owf_demo",),
    ships=Shipped(DEMO_BASE, DEMO_FEATURES, DEMO_PROBES, ("pullover", DEMO_CONCEPT)),
    pipeline=PIPELINE,
    trains=True,
    recipes=(("quick", Recipe(steps=300, batch=4, rate=4e-3)), ("standard", Recipe(steps=400, batch=4, rate=4e-3))),
    settings=(("cross_attention_dim", 48), ("sample_size", 12)),
    knows_tags=False,
)
