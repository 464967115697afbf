"""The tiny demo base of this repository: SD1 topology, a few million weights.

It has no `context_width`: its 32 is common among tiny test models, so metadata has to name it.
"""

from .family import Family, Recipe

FAMILY = Family(
    name="demo",
    title="OWF demo base",
    hub_id=None,
    prediction_type="epsilon",
    resolution=64,
    architectures=("owf-demo",),
    base_versions=("owf_demo",),
    recipes=(("quick", Recipe(steps=200, batch=4, rate=1e-3)), ("standard", Recipe(steps=400, batch=4, rate=1e-3))),
)
