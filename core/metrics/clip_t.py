"""Do pictures still show what the prompt asks? CLIP-T: the cosine of a picture's and its prompt's embedding.

The measure of DreamBooth's evaluation (Ruiz et al., 2023), of prompts that do not name the concept, before and after.
A base that ships with a network of its own is seen by that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidError
from ..plan.audit_plan import AuditPlan
from .evidence import Drawings
from .measurement import Estimate, Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .statistics import COSINE, Range, mean_estimate, simultaneous_level

if TYPE_CHECKING:
    from .images.features import Fetching, ImageFeatures

VERSION = 1
"""Version of the definition in docs/metrics.md."""

_CHANGE: Range = (-2.0, 2.0)
"""Of the difference of two cosines."""


@dataclass(frozen=True)
class PromptRows:
    """How near pictures are to their prompts."""

    groups: tuple[str, ...]
    """Group of each of the P prompts."""
    base: np.ndarray
    """(P,) mean cosine of the base's pictures to their prompt."""
    tuned: np.ndarray
    """(P,) of the tuned model's."""
    other: np.ndarray
    """(P,) of the base's with other seeds."""


def load_network(plan: AuditPlan, fetching: "Fetching") -> "ImageFeatures":
    """Return what compares pictures with the plan's prompts: see `load_prompted`."""
    from .images.prompted import load_prompted

    return load_prompted(plan, fetching)


def summarise_clip_t(rows: PromptRows, network: str) -> Measurement:
    """Return CLIP-T before and after, its paired drop, and the drop of each group of prompts.

    Floors are the outer end of the same interval for base against other seeds. Raises InvalidError for what is no
    number.
    """
    if not np.isfinite([rows.base, rows.tuned, rows.other]).all():
        raise InvalidError("The network that compares pictures with prompts returned NaN or infinite values.")
    names, groups = sorted(set(rows.groups)), np.array(rows.groups)
    level = simultaneous_level(len(names))
    estimates = {
        "clip_t_drop": _drop(rows, np.ones(len(groups), bool), simultaneous_level(1)),
        "clip_t_base": mean_estimate(rows.base, within=COSINE),
        "clip_t_tuned": mean_estimate(rows.tuned, within=COSINE),
    }
    parts = tuple(Part(name, _drop(rows, groups == name, level)) for name in names)
    facts: dict[str, str | int | float] = {"features": network, "prompts": len(groups)}
    by_prompt = {"clip_t_drop": tuple((rows.base - rows.tuned).tolist())}
    return Measurement("clip_t", VERSION, "clip_t_drop", estimates, {"prompt_group": parts}, facts, by_prompt)


def _drop(rows: PromptRows, chosen: np.ndarray, level: float) -> Estimate:
    lost, rolled = (
        mean_estimate((rows.base - after)[chosen], level=level, within=_CHANGE) for after in (rows.tuned, rows.other)
    )
    return replace(lost, floor=max(abs(rolled.low), abs(rolled.high)))


def measure_clip_t(plan: AuditPlan, tools: Tools, seen: Drawings) -> Measurement:
    """Return how far pictures follow their prompts, of the tuned model against the base."""
    import torch

    from .images.features import features_of

    network = tools.networks["clip_t"]
    found = [own_cosines(features_of(network, torch.from_numpy(s), tools.progress), plan) for s in seen.stacks]
    return summarise_clip_t(PromptRows(tuple(prompt.group for prompt in plan.prompts), *found), network.name)


def own_cosines(cosines: np.ndarray, plan: AuditPlan) -> np.ndarray:
    """Return the mean (P,) over its S pictures of the cosine to each prompt, from those of all (P * S, P)."""
    own: Sequence[int] = range(len(plan.prompts))
    by_prompt = cosines.astype(np.float64).reshape(len(plan.prompts), plan.images_per_prompt, len(plan.prompts))
    return by_prompt[own, :, own].mean(1)


METRIC = Metric(
    name="clip_t",
    order=53,
    title="Prompts followed",
    question="Do pictures still show what the prompt asks?",
    reading="CLIP-T: the cosine of a picture's and its prompt's embedding, before and after. The drop is told against "
    "the pictures that the base drew of the same prompts; above zero the LoRA follows them less.",
    needs=(Drawings,),
    measure=measure_clip_t,
    # No limit: how much of it people notice differs by network, and nobody has shown it.
    quantities={
        "clip_t_drop": Quantity("CLIP-T lost", "drop of likeness to the prompt (CLIP-T)", metadata="clip_t_drop"),
        "clip_t_base": Quantity("CLIP-T, base"),
        "clip_t_tuned": Quantity("CLIP-T, LoRA"),
    },
    breakdowns={
        "prompt_group": Breakdown(
            "Which prompts are followed less: CLIP-T lost by prompt group",
            "None of these prompts names the concept. The intervals hold for all groups together.",
            worst_first=True,
            reference="overall",
        )
    },
    network=load_network,
    takes_open_clip=True,
)
