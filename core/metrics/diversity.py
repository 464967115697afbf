"""Do pictures of one prompt still differ? Their mean distance to one another, before and after.

A model that was taught one thing may draw it, or one look of everything, again and again. Pictures of the prompts that
ask for a colour are compared, of which there are several each.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidError
from ..plan.audit_plan import AuditPlan
from .evidence import ColorDrawings
from .images.likeness import spread_within
from .measurement import Estimate, Measurement
from .metric import Metric, Quantity, Tools
from .statistics import COSINE_DISTANCE, DISTANCE, mean_estimate, ratio_estimate

if TYPE_CHECKING:
    from .images.features import Fetching, ImageFeatures

VERSION = 1
"""Version of the definition in docs/metrics.md."""

_SAME = 1e-6
"""Mean distance below which pictures are all the same: what float32 makes of one picture at other places of a batch."""


def load_network(plan: AuditPlan, fetching: "Fetching") -> "ImageFeatures":
    """Return CLIP's image embedding, that of the network which the plan names, or what ships for the base."""
    from .images.features import load_for

    return load_for("clip", plan, fetching)


def summarise_diversity(base: np.ndarray, tuned: np.ndarray, other: np.ndarray) -> Measurement:
    """Return the diversity before and after, and its relative change, from the distances (P,) within each prompt.

    The floor of the change is the outer end of the same interval for base against other seeds. Raises InvalidError for
    a base whose pictures of a prompt are all the same.
    """
    if not base.mean() > _SAME:
        raise InvalidError("The base draws the same picture for every seed of a prompt: it has no variety to lose.")
    rolled = _change(base, other)
    estimates = {
        "diversity_change": replace(_change(base, tuned), floor=max(abs(rolled.low), abs(rolled.high))),
        "diversity_base": mean_estimate(base, within=COSINE_DISTANCE),
        "diversity_tuned": mean_estimate(tuned, within=COSINE_DISTANCE),
    }
    return Measurement("diversity", VERSION, "diversity_change", estimates, facts={"prompts": len(base)})


def _change(before: np.ndarray, after: np.ndarray) -> Estimate:
    ratio = ratio_estimate(after, before, "relative", within=DISTANCE)
    return replace(ratio, value=ratio.value - 1, low=ratio.low - 1, high=ratio.high - 1)


def measure_diversity(plan: AuditPlan, tools: Tools, seen: ColorDrawings) -> Measurement:
    """Return how much the pictures of a prompt differ, of the tuned model against the base."""
    import torch

    from .images.features import features_of

    network = tools.networks["diversity"]
    prompts = np.array([prompt.text for prompt, _ in plan.color_draws])
    spreads = []
    for stack in seen.stacks:
        features = features_of(network, torch.from_numpy(stack), tools.progress)
        spreads.append(np.array([spread_within(features[prompts == prompt]) for prompt in dict.fromkeys(prompts)]))
    found = summarise_diversity(*spreads)
    return replace(found, facts={"features": network.name, **found.facts})


METRIC = Metric(
    name="diversity",
    order=55,
    title="Variety",
    question="Do pictures of one prompt still differ?",
    reading="How much pictures of the same prompt with different seeds differ from one another (1 - cosine of their "
    "features), with the LoRA against without. Below zero they became more alike.",
    needs=(ColorDrawings,),
    measure=measure_diversity,
    # No limit: nobody has shown yet how much of it is missed.
    quantities={
        "diversity_change": Quantity(
            "Variety",
            "change of the variety within a prompt",
            more="more varied",
            less="less varied",
            metadata="diversity_change",
        ),
        "diversity_base": Quantity("Distance within a prompt, base"),
        "diversity_tuned": Quantity("Distance within a prompt, LoRA"),
    },
    network=load_network,
    takes_open_clip=True,
)
