"""What audits ask of the demo base instead of a preset's: a far smaller world, and a far cheaper model. No torch."""

import dataclasses
from collections.abc import Iterable
from functools import cache

from ..demo import DEMO_PROBES
from .audit_plan import AuditPlan, Prompt, Stage
from .prompts import color_prompts

THINGS = ("bag", "sneaker", "dress")
"""Classes whose colours and patterns are asked for; its prompt bank has those of the others."""

BACKGROUNDS = ("white", "grey", "black", "beige")
"""What the things stand before, in turn. A prompt that leaves it open is drawn before any, so that the smallest change
of the model may exchange most of the picture: the colours of such pictures say little."""


def _before_backgrounds(prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
    """Return the prompts with a background each, that has another colour than the thing."""
    found = []
    for place, prompt in enumerate(prompts):
        text = prompt.text.replace("gray", "grey")  # as the base spells it
        others = [background for background in BACKGROUNDS if f" {background} " not in text]
        background = others[place % len(others)]
        found.append(Prompt(f"{text} on a {background} background", prompt.group, prompt.term))
    return tuple(found)


_COLORS = _before_backgrounds(color_prompts(THINGS, "a photo of {}"))
_PATTERNS = _before_backgrounds(
    Prompt(f"a photo of a {look} {thing}", "patterns", "")
    for look in ("red and white striped", "black and yellow dotted", "blue and orange checked", "green and pink zigzag")
    for thing in THINGS
)
PROMPTS = _COLORS + _PATTERNS
"""What is drawn: it knows no other kind of prompt."""

_SIZES = {
    "glance": (12, (Stage(2, 4), Stage(6, 1)), 2),
    "quick": (12, (Stage(2, 4), Stage(6, 1)), 2),
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
