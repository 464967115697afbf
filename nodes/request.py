"""What an audit node is asked for, as the plan, the labelled images and the limits that `core` works with."""

import dataclasses
from typing import TYPE_CHECKING

from ..core.errors import UsageError
from ..core.metrics.metric import chosen
from ..core.plan import AuditPlan
from ..core.presets import METRICS, demo_plan, in_order, preset_plan

if TYPE_CHECKING:
    import torch

    from ..core.datasets.labelled import LabelledImages
    from ..core.verdict import Policy

AUTO = "auto"


@dataclasses.dataclass(frozen=True)
class Wishes:
    """The settings of an audit node."""

    preset: str
    """Name of the preset."""
    seed: int
    """Seed of all noise."""
    metrics: str = ""
    """Metrics to run, separated by commas; those of the presets if empty."""
    per_class: int = 0
    """Labelled images of each class; 0 leaves it to the preset."""
    guidance_scale: float = 0.0
    """Classifier-free guidance; 0 leaves it to the preset."""
    features: str = AUTO
    """Feature network of KID."""


def plan_for(family: str, wishes: Wishes) -> AuditPlan:
    """Return the plan that `owf-audit` would make of the same settings for a base of this family."""
    plan = preset_plan(wishes.preset)
    if family == "demo":
        from ..core.datasets.demo import read_demo

        plan = demo_plan(wishes.preset, read_demo(1).classes)
    return dataclasses.replace(
        plan,
        seed=wishes.seed,
        metrics=_metrics(wishes.metrics),
        per_class=wishes.per_class or plan.per_class,
        guidance_scale=wishes.guidance_scale or plan.guidance_scale,
        features=plan.features if wishes.features == AUTO else wishes.features,
    )


def _metrics(text: str) -> tuple[str, ...]:
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    return in_order(metric.name for metric in chosen(wanted)) if wanted else METRICS


def with_images(plan: AuditPlan, labelled: "LabelledImages | None") -> "tuple[AuditPlan, LabelledImages | None]":
    """Return plan and labelled images: the given ones, the demo base's own, or None where the base makes them."""
    if labelled is not None:
        digest = labelled.digest()
        return dataclasses.replace(plan, dataset="folder", dataset_digest=digest, classes=labelled.classes), labelled
    if plan.dataset == "demo":
        from ..core.datasets.demo import read_demo

        return plan, read_demo(plan.per_class)
    return plan, None


def label_images(images: "torch.Tensor", text: str, side: int) -> "LabelledImages":
    """Return an IMAGE batch with its labels, one for each image, separated by lines or commas."""
    import numpy as np

    from ..core.datasets.labelled import LabelledImages
    from .images import square

    names = [name.strip() for name in text.replace("\n", ",").split(",") if name.strip()]
    if len(names) != len(images):
        raise UsageError(
            f"probe_labels names {len(names)} classes for {len(images)} probe images; give one for each image."
        )
    classes = tuple(sorted(set(names)))
    if len(classes) < 2:
        raise UsageError("probe_labels needs at least two different classes, or there is nothing to tell apart.")
    return LabelledImages(square(images, side), np.array([classes.index(name) for name in names]), classes)


def policy_from(text: str) -> "Policy":
    """Return the limits written in the node, or the default ones."""
    from ..core.policy import parse_policy
    from ..core.verdict import default_policy

    return parse_policy(text, "policy of the node") if text.strip() else default_policy()
