"""What audits ask of the demo base instead of a preset's: a far smaller world, and a far cheaper model. No torch."""

import dataclasses
from functools import cache

from ..demo import DEMO_PROBES
from .audit_plan import AuditPlan, Prompt, Stage
from .prompts import color_prompts

THINGS = ("bag", "sneaker", "dress")
"""Classes whose colours and patterns are asked for; its prompt bank has those of the others."""

_COLORS = tuple(Prompt(p.text.replace("gray", "grey"), p.group, p.term) for p in color_prompts(THINGS, "a photo of {}"))
_PATTERNS = tuple(
    Prompt(f"a photo of a {look} {thing}", "patterns", "")
    for look in ("red and white striped", "black and yellow dotted", "blue and orange checked", "green and pink zigzag")
    for thing in THINGS
)
PROMPTS = _COLORS + _PATTERNS
"""What is drawn: it knows no other kind of prompt, and spells grey with an e."""

_SIZES = {
    "quick": (12, (Stage(4, 3), Stage(12, 1)), 1),
    "standard": (30, (Stage(10, 3), Stage(30, 1)), 2),
    "paper": (30, (Stage(50, 5), Stage(500, 1)), 10),
}
"""Preset -> labelled images per class, stages, images per prompt."""

_GUIDANCE = 4.0
"""What its pictures were drawn with when it was judged; see demo/README.md."""


def for_demo(plan: AuditPlan) -> AuditPlan:
    """Return a preset's plan with the base's own pictures, classes, prompts and feature network."""
    per_class, stages, images_per_prompt = _SIZES[plan.preset]
    return dataclasses.replace(
        plan,
        dataset="demo",
        classes=_classes(),
        per_class=per_class,
        stages=stages,
        prompts=PROMPTS,
        images_per_prompt=images_per_prompt,
        guidance_scale=_GUIDANCE,
        features="demo",
    )


@cache
def _classes() -> tuple[str, ...]:
    """Return what its labelled pictures show: everything that the base knows."""
    import numpy as np

    with np.load(DEMO_PROBES) as data:
        return tuple(map(str, data["classes"]))
