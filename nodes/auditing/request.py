"""What an audit node is asked for, as the plan, the labelled images and the limits that `core` works with.

`wrong` asks the same before anything runs, for `validate_inputs`: ComfyUI then loads no checkpoint for nothing. It
shows the sentence once for every input that such a method names, so they name few.
"""

import dataclasses
import logging
import math
from typing import TYPE_CHECKING

from ...core.errors import OwfError, UsageError
from ...core.metrics.metric import chosen
from ..backend import places
from ..ui.wording import graph_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from ...core.audit.request import AuditRequest
    from ...core.datasets.images.labelled import LabelledImages
    from ...core.verdict.policy import Policy

AUTO = "auto"
NOT_LINKED = object()
"""Default of a socket in `validate_inputs`: ComfyUI passes None for one that is linked, and nothing for any other."""


def audit_request(
    preset: str,
    seed: int,
    metrics: str,
    per_class: int,
    resolution: int,
    guidance_scale: float,
    features: str,
    probe_folder: str,
) -> "AuditRequest":
    """Return what an audit node's inputs ask for; raise UsageError for unknown metrics, folders and no numbers."""
    from ...core.audit.request import AuditRequest

    require_number("guidance_scale", guidance_scale)
    return AuditRequest(
        preset=preset,
        seed=seed,
        metrics=metrics_from(metrics),
        per_class=per_class,
        resolution=resolution,
        guidance_scale=guidance_scale,
        features="" if features == AUTO else features,
        images=_probe_folder(probe_folder),
    )


def require_number(name: str, value: float) -> None:
    """Raise UsageError where an input is no finite number: NaN lies within ComfyUI's limits, and it checks no link."""
    if not math.isfinite(value):
        raise UsageError(f"{name} is {value}: give it a number.")


def compared(asked: "AuditRequest", concept: str, references: str, open_clip: str) -> "AuditRequest":
    """Return the same, with pictures of the concept to compare with, by words, and another network for CLIP.

    Raises UsageError for a folder that is elsewhere or holds no picture, and for what no metric asks for.
    """
    words = tuple(word.strip() for word in concept.split(",") if word.strip())
    folder = _references(references)
    return dataclasses.replace(asked, concept=words, references=folder, open_clip=open_clip.strip())


def _references(name: str) -> "Path | None":
    if not name:
        return None
    from ...core.audit.references import left_out_of
    from ...core.disk.files import named

    folder = places.input_folder(name)
    left_out = left_out_of(folder)
    if left_out:
        logging.warning("OWF: Not used in %s: %s.", folder, named(left_out, folder))
    return folder


def metrics_from(text: str) -> tuple[str, ...]:
    """Return the metrics written in the node, none where the preset decides; raise UsageError for an unknown one."""
    wanted = tuple(name.strip() for name in text.split(",") if name.strip())
    return tuple(metric.name for metric in chosen(wanted))


def _probe_folder(name: str) -> "Path | None":
    if not name:
        return None
    from ...core.datasets.dataset import find_dataset
    from ...core.disk.files import named

    folder = places.input_folder(name)
    left_out = find_dataset(folder).left_out(folder)
    if left_out:
        logging.warning("OWF: Not used in %s: %s.", folder, named(left_out, folder))
    return folder


def label_images(images: "torch.Tensor", text: str, side: int) -> "LabelledImages":
    """Return an IMAGE batch with its labels, one for each image, separated by lines or commas."""
    import numpy as np

    from ...core.datasets.images.labelled import LabelledImages
    from ..backend.images import square

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
    from ...core.verdict.policy import default_policy, parse_policy

    return parse_policy(text, "policy of the node") if text.strip() else default_policy()


def require_one_source(by_name: bool, from_graph: bool) -> None:
    """Raise UsageError unless there is exactly one thing to audit."""
    if by_name == from_graph:
        raise UsageError("Choose a LoRA by name, or connect tuned_model (and tuned_clip): one of the two.")


def wrong(*checks: "Callable[[], object]") -> bool | str:
    """Return the sentence of the first check that raises, in the words of a graph; True where none does."""
    try:
        with graph_words():
            for check in checks:
                check()
    except OwfError as error:
        return str(error)
    return True


def limits_wrong(metrics: str | None, policy: str | None) -> bool | str:
    """Return what is wrong with metrics and limits, which are None where they are linked and not known yet."""
    return wrong(lambda: metrics_from(metrics or ""), lambda: policy_from(policy or ""))
