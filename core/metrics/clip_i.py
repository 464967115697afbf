"""Do pictures of the same prompt and seed still show the same? CLIP-I: the cosine of their CLIP image embeddings.

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
    """Return CLIP's image embedding, that of the network which the plan names, or what ships for the base."""
    from .images.features import load_for

    return load_for("clip", plan, fetching)


def measure_clip_i(plan: AuditPlan, tools: Tools, seen: Drawings) -> Measurement:
    """Return the mean cosine over prompts, in all and by prompt group."""
    return measure_likeness("clip_i", VERSION, plan, tools, seen)


METRIC = Metric(
    name="clip_i",
    order=51,
    title="Same content",
    question="Do pictures of the same prompt and seed show the same to CLIP?",
    reading="CLIP-I: the cosine of both pictures' CLIP embeddings. 1 is the same picture; the floor is what another "
    "seed alone leaves.",
    needs=(Drawings,),
    measure=measure_clip_i,
    # No limit: a composition that was rolled anew lowers it as harm does.
    quantities={"clip_i": Quantity("CLIP-I", "likeness of the pairs to CLIP (CLIP-I)", metadata="clip_i")},
    breakdowns={
        "prompt_group": Breakdown(
            "Whose pictures changed: CLIP-I by prompt group",
            "None of these prompts names the concept. The intervals hold for all groups together.",
            reference="overall",
        )
    },
    network=load_network,
    takes_open_clip=True,
)
