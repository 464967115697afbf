"""Do pictures of the same prompt and seed still show the same things? DINO: the cosine of their DINO embeddings.

The measure of DreamBooth's evaluation (Ruiz et al., 2023), here between base and tuned model and not to references. A
base that ships with a network of its own is seen by that.
"""

from typing import TYPE_CHECKING

from ..plan.audit_plan import AuditPlan
from .evidence import Drawings
from .images.pair_likeness import measure_likeness
from .measurement import Measurement
from .metric import Breakdown, Metric, Quantity, Tools

if TYPE_CHECKING:
    from .images.features import Fetching, ImageFeatures

VERSION = 1
"""Version of the definition in docs/metrics.md."""


def load_network(plan: AuditPlan, fetching: "Fetching") -> "ImageFeatures":
    """Return DINO's class token, or what ships for the base."""
    from .images.features import load_for

    return load_for("dino", plan, fetching)


def measure_dino(plan: AuditPlan, tools: Tools, seen: Drawings) -> Measurement:
    """Return the mean cosine over prompts, in all and by prompt group."""
    return measure_likeness("dino", VERSION, plan, tools, seen)


METRIC = Metric(
    name="dino",
    order=52,
    title="Same things",
    question="Do pictures of the same prompt and seed show the same things?",
    reading="The cosine of both pictures' DINO embeddings (ViT-S/16). 1 is the same picture; the floor is what another "
    "seed alone leaves.",
    needs=(Drawings,),
    measure=measure_dino,
    # No limit: a composition that was rolled anew lowers it as harm does.
    quantities={"dino": Quantity("DINO", "likeness of the pairs to DINO", metadata="dino")},
    breakdowns={
        "prompt_group": Breakdown(
            "Whose pictures changed: DINO by prompt group",
            "None of these prompts names the concept. The intervals hold for all groups together.",
            reference="overall",
        )
    },
    network=load_network,
)
