"""What an audit node is asked for, as the plan, the labelled images and the limits that `core` works with."""

import logging
from typing import TYPE_CHECKING

from ..core.errors import UsageError
from ..core.metrics.metric import chosen
from ..core.plan.presets import METRICS
from .backend import places

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from ..core.audit.session import AuditRequest
    from ..core.datasets.labelled import LabelledImages
    from ..core.verdict.verdict import Policy

AUTO = "auto"


def audit_request(
    preset: str, seed: int, metrics: str, per_class: int, guidance_scale: float, features: str, probe_folder: str
) -> "AuditRequest":
    """Return what an audit node's inputs ask for; raise UsageError for unknown metrics and folders."""
    from ..core.audit.session import AuditRequest

    wanted = tuple(name.strip() for name in metrics.split(",") if name.strip())
    return AuditRequest(
        preset=preset,
        seed=seed,
        metrics=tuple(metric.name for metric in chosen(wanted)) or METRICS,
        per_class=per_class,
        guidance_scale=guidance_scale,
        features="" if features == AUTO else features,
        images=_probe_folder(probe_folder),
    )


def _probe_folder(name: str) -> "Path | None":
    if not name:
        return None
    from ..core.datasets.dataset import find_dataset
    from ..core.disk.files import named

    folder = places.input_folder(name)
    left_out = find_dataset(folder).left_out(folder)
    if left_out:
        logging.warning("OWF: Not used in %s: %s.", folder, named(left_out, folder))
    return folder


def label_images(images: "torch.Tensor", text: str, side: int) -> "LabelledImages":
    """Return an IMAGE batch with its labels, one for each image, separated by lines or commas."""
    import numpy as np

    from ..core.datasets.labelled import LabelledImages
    from .backend.images import square

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
    from ..core.verdict.policy import parse_policy
    from ..core.verdict.verdict import default_policy

    return parse_policy(text, "policy of the node") if text.strip() else default_policy()
