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
    recipes=(
        # Its bank is drawn in a third of the time that all of it takes, which is as long as the training itself.
        ("quick", Recipe(300, 4, 4e-3, "cosine", bank_prompts=200)),
        # A constant rate as high as this one shakes off what drift correction holds.
        ("standard", Recipe(500, 4, 4e-3, "cosine")),
    ),
    settings=(("cross_attention_dim", 48), ("sample_size", 12)),
    knows_tags=False,
)
