"""Has the LoRA broken the distillation? How far pictures in few steps are from those in many, before and after.

A distilled base is trained to draw in four to eight steps what others draw in many; a training that was done as on any
other base can undo that, which ai-toolkit calls distillation breakdown. So each model's picture in the plan's steps is
compared with its own from the same noise in four times as many, by LPIPS (Zhang et al., 2018).
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..plan.audit_plan import STEP_FACTOR, AuditPlan
from .evidence import Drawings, LongDrawings
from .lpips import distances, load_network
from .measurement import Measurement
from .metric import Metric, Quantity, Tools
from .statistics import DISTANCE, mean_estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = 1
"""Version of the definition in docs/metrics.md."""


def summarise_distillation(apart: "Sequence[np.ndarray]") -> Measurement:
    """Return how much further apart a model's pictures in few and in many steps are with the LoRA.

    `apart` are the distances (P,) of the base's, of the tuned model's, and of the base's with other noise. The prompt
    is the unit; the floor is the outer end of the same interval for other noise.
    """
    base, tuned, other = apart
    more, rolled = mean_estimate(tuned - base), mean_estimate(other - base)
    estimates = {
        "steps_apart_more": replace(more, floor=max(abs(rolled.low), abs(rolled.high))),
        "steps_apart_base": mean_estimate(base, within=DISTANCE),
        "steps_apart_tuned": mean_estimate(tuned, within=DISTANCE),
    }
    return Measurement("distillation", VERSION, "steps_apart_more", estimates)


def measure_distillation(plan: AuditPlan, tools: Tools, seen: Drawings, long: LongDrawings) -> Measurement:
    """Return it for the prompts whose pictures were drawn in more steps too."""
    network = tools.networks["distillation"]
    apart = [
        distances(network, tools.progress, few[list(long.places)], many)
        for few, many in zip(seen.stacks, long.stacks, strict=True)
    ]
    for stack in seen.stacks:
        tools.progress.advance(len(stack))
    facts: dict[str, str | int | float] = {
        "network": "VGG16, weights 0.1",
        "prompts": len(long.places),
        "steps": plan.sampling_steps,
        "more_steps": STEP_FACTOR * plan.sampling_steps,
    }
    return replace(summarise_distillation(apart), facts=facts)


METRIC = Metric(
    name="distillation",
    order=61,
    title="Distillation",
    question="Do a few steps still draw what many draw?",
    reading="LPIPS between a model's pictures in the usual few steps and in four times as many, from the same noise: "
    "how much larger it is with the LoRA. Above zero, few steps are not enough any more. The floor is what other seeds "
    "alone do.",
    needs=(Drawings, LongDrawings),
    measure=measure_distillation,
    # No limit: from where on people want more steps, nobody has shown.
    quantities={
        "steps_apart_more": Quantity(
            "Few from many steps",
            "larger distance between pictures in few and in many steps (LPIPS)",
            metadata="steps_apart_more",
        ),
        "steps_apart_base": Quantity("Few from many, base"),
        "steps_apart_tuned": Quantity("Few from many, LoRA"),
    },
    network=load_network,
    of_few_steps=True,
)
