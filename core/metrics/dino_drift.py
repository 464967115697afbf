"""Do pictures of the same prompt and noise still show the same? Cosine of their DINOv2 embeddings.

It is the drift that PEFT's image benchmark publishes (method_comparison/image-gen, `measure_drift`): the mean of
(1 - cosine) / 2 over pictures of prompts that do not name the concept, 0 for the same picture, 1 for opposite
embeddings. DINOv2: Oquab et al., 2023.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..plan.audit_plan import AuditPlan
from .evidence import Drawings
from .images.likeness import cosines
from .measurement import Estimate, Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .statistics import SHARE, mean_estimate, simultaneous_level

if TYPE_CHECKING:
    from .images.features import Fetching, ImageFeatures

VERSION = 1
"""Version of the definition in this file."""

_EDGE, _SIZE = 256, 224
"""Its preparation: the shorter side becomes 256, and 224 of it are cut out of the centre."""


def load_network(plan: AuditPlan, fetching: "Fetching") -> "ImageFeatures":
    """Return DINOv2-base, whose normalised class token is the embedding."""
    from transformers import Dinov2Model

    from .images.features import assemble
    from .images.hub import hub_folder
    from .images.preparation import IMAGENET_STATS, Embedding, preparation
    from .images.towers import DINO_V2, pretrained

    folder = str(hub_folder(DINO_V2, fetching.offline))
    network = Embedding(pretrained(Dinov2Model, folder, fetching.offline), lambda seen: seen.last_hidden_state[:, 0])
    return assemble("dinov2", preparation(_EDGE, _SIZE, IMAGENET_STATS), network, fetching.device)


def drifts(base: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return (1 - cosine) / 2 of each pair of embeddings (N, D) as (N,); raise InvalidError for zero, NaN, infinite."""
    return (1 - cosines(base, other)) / 2


def measure_dino_drift(plan: AuditPlan, tools: Tools, seen: Drawings) -> Measurement:
    """Return the mean drift over prompts, in all and by prompt group; the prompt is the independent unit.

    The floor is the same for the base against itself with other noise: what a re-roll of the composition does.
    """
    import torch

    from .images.features import features_of
    from .images.towers import DINO_V2

    network = tools.networks["dino_drift"]
    base, tuned, other = (features_of(network, torch.from_numpy(stack), tools.progress) for stack in seen.stacks)
    shape = len(plan.prompts), plan.images_per_prompt
    changed, rolled = (drifts(base, features).reshape(shape).mean(1) for features in (tuned, other))
    names = sorted({prompt.group for prompt in plan.prompts})
    groups, level = np.array([prompt.group for prompt in plan.prompts]), simultaneous_level(len(names))
    parts = tuple(Part(name, _drift(changed[groups == name], rolled[groups == name], level)) for name in names)
    return Measurement(
        "dino_drift",
        VERSION,
        headline="dino_drift",
        estimates={"dino_drift": _drift(changed, rolled, simultaneous_level(1))},
        breakdowns={"prompt_group": parts},
        facts={"features": DINO_V2.repository, "prompts": len(plan.prompts)},
        prompts={"dino_drift": tuple(changed.tolist())},
    )


def _drift(changed: np.ndarray, rolled: np.ndarray, level: float) -> Estimate:
    """Return the mean of `changed` (P,) with the mean of `rolled` as its floor; no end leaves 0 to 1."""
    return replace(mean_estimate(changed, level=level, within=SHARE), floor=float(rolled.mean()))


METRIC = Metric(
    name="dino_drift",
    order=50,
    title="Same picture",
    question="Do pictures of the same prompt and seed still show the same?",
    reading="(1 - cosine) / 2 of the DINOv2 embeddings of both pictures, as PEFT's image benchmark publishes it: 0 "
    "is the same picture. The floor is what another seed alone does.",
    needs=(Drawings,),
    measure=measure_dino_drift,
    # No limit: the benchmark compares methods by it and names no value that would be harm.
    quantities={"dino_drift": Quantity("DINO drift", "drift of DINOv2 embeddings", metadata="dino_drift")},
    breakdowns={
        "prompt_group": Breakdown(
            "Whose pictures changed: DINO drift by prompt group",
            "None of these prompts names the concept. The intervals hold for all groups together.",
            worst_first=True,
            reference="overall",
        )
    },
    network=load_network,
)
