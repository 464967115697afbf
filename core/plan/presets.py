"""The plans people choose by name: glance, quick, standard, paper. No torch."""

import dataclasses
from collections.abc import Callable, Iterable

from ..errors import Setting, UsageError
from ..families import tag_forms
from ..families.prompt_form import SENTENCES, TAGS, PromptForm
from .audit_plan import AuditPlan, Prompt, Stage
from .demo import for_demo
from .prompts import open_world_prompts
from .solvers import DDIM, DPM_2M
from .tag_prompts import CLASS_TAGS, tag_prompts

METRICS = ("denoiser_drift", "map", "semantic", "color", "color_shift", "kid")
"""What presets measure that are to decide; any other metric is asked for by name."""


def in_order(metrics: Iterable[str]) -> tuple[str, ...]:
    """Return metrics, each once, in the order of the presets, any others behind by name: plans alike are then equal."""
    wanted = set(metrics)
    return tuple(name for name in METRICS if name in wanted) + tuple(sorted(wanted - set(METRICS)))


COMMON_CLASSES = (
    "airplane",
    "bicycle",
    "bird",
    "boat",
    "car",
    "cat",
    "chair",
    "dog",
    "flower",
    "horse",
)
"""Ten everyday things that any general text-to-image model draws and tells apart."""

CLASS_PROMPT = "a photo of {}"

GLANCE = "glance"
"""The preset that only looks for damage: it measures less than the others, and cannot show that there is none."""
PAPER = "paper"
"""The preset that asks published sets as the Diffusion Classifier's authors do."""


def _preset(
    name: str,
    *,
    per_class: int,
    stages: tuple[Stage, ...],
    loss: str,
    prompts: tuple[Prompt, ...],
    images_per_prompt: int,
    sampling_steps: int,
    solver: str,
    drift_timesteps: int,
) -> AuditPlan:
    return AuditPlan(
        preset=name,
        seed=0,
        metrics=METRICS,
        dataset="generated",
        dataset_digest="",
        classes=COMMON_CLASSES,
        class_prompt=CLASS_PROMPT,
        per_class=per_class,
        stages=stages,
        loss=loss,
        prompts=prompts,
        images_per_prompt=images_per_prompt,
        sampling_steps=sampling_steps,
        solver=solver,
        guidance_scale=7.5,
        drift_timesteps=drift_timesteps,
        features="inception",
    )


def glance_plan() -> AuditPlan:
    """Return the plan of a first look: what predictions show, at most 2,500 UNet rows, and no picture is drawn for it.

    It finds damage; that there is none it cannot show, so that a PASS of it is one in part.
    """
    return dataclasses.replace(quick_plan(), preset=GLANCE, metrics=("denoiser_drift", "map"))


def quick_plan() -> AuditPlan:
    """Return the plan that decides clear cases in minutes: at most 7,500 UNet rows for the tuned model."""
    return _preset(
        "quick",
        per_class=6,
        stages=(Stage(4, 3), Stage(8, 1)),
        loss="l2",
        prompts=open_world_prompts(colors=22, others=26),
        # Two of each: of one, prompts whose compositions are all rolled anew do not know their common colours.
        images_per_prompt=2,
        sampling_steps=12,
        solver=DPM_2M,
        drift_timesteps=8,
    )


def standard_plan() -> AuditPlan:
    """Return the plan for a decision in most cases: at most 50,000 UNet rows for the tuned model."""
    return _preset(
        "standard",
        per_class=25,
        stages=(Stage(8, 3), Stage(16, 1)),
        loss="l2",
        prompts=open_world_prompts(colors=55, others=145),
        images_per_prompt=1,
        sampling_steps=18,
        solver=DPM_2M,
        drift_timesteps=8,
    )


def paper_plan() -> AuditPlan:
    """Return the protocol of the Diffusion Classifier's authors on ten classes, with 1,000 generated images."""
    return _preset(
        PAPER,
        per_class=50,
        stages=(Stage(50, 5), Stage(500, 1)),
        loss="l1",
        prompts=open_world_prompts(colors=55, others=145),
        images_per_prompt=5,
        sampling_steps=50,
        solver=DDIM,
        drift_timesteps=20,
    )


PRESETS = {GLANCE: glance_plan, "quick": quick_plan, "standard": standard_plan, PAPER: paper_plan}
"""Preset name -> function that returns its plan."""
ASKED_SMALL = frozenset({GLANCE, "quick"})
"""Presets that ask families at a smaller side where they learned one: a row of FLUX.1 then costs a quarter."""


OF_FAMILIES = {"demo": for_demo}
"""Family -> what is asked of it instead: a function of a preset's plan."""


def preset_plan(name: str, family: str = "") -> AuditPlan:
    """Return the plan of a preset for a base of a family; raise UsageError for an unknown preset."""
    plan = _known(name)()
    return OF_FAMILIES[family](plan) if family in OF_FAMILIES else plan


def preset_metrics(name: str) -> tuple[str, ...]:
    """Return what a preset measures where nobody names metrics; raise UsageError for an unknown preset."""
    return _known(name)().metrics


def _known(name: str) -> Callable[[], AuditPlan]:
    if name not in PRESETS:
        raise UsageError(f"Unknown preset {name!r}; use one of {', '.join(PRESETS)}.", Setting("preset"))
    return PRESETS[name]


def in_form(plan: AuditPlan, form: PromptForm) -> AuditPlan:
    """Return a plan with as many prompts of each kind in another language, and with what stands before them."""
    if form.name == SENTENCES:
        return plan
    colors = sum(bool(prompt.term) for prompt in plan.prompts)
    return dataclasses.replace(
        plan,
        prompts=tag_prompts(form, colors=colors, others=len(plan.prompts) - colors),
        class_prompt=form.worded(CLASS_TAGS),
        prompt_form=form.name,
        prefix=form.prefix,
        negative=form.negative,
    )


def audit_prompts() -> frozenset[str]:
    """Return every prompt that an audit with its own classes asks, of any base: training banks must not hold them."""
    presets = [preset_plan(name) for name in PRESETS]
    bare = PromptForm(TAGS)  # as banks have them: the prefix comes before both
    in_tags = [in_form(plan, form) for plan in presets for form in (bare, *tag_forms())]
    plans = [*presets, *in_tags, *(preset_plan(name, family) for name in PRESETS for family in OF_FAMILIES)]
    return frozenset(text for plan in plans for text in (*(p.text for p in plan.prompts), *plan.class_prompts))
