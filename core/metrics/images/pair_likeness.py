"""The likeness of pictures of the same prompt and noise to a network: what CLIP-I and DINO have in common."""

from dataclasses import replace

import numpy as np

from ...plan.audit_plan import AuditPlan
from ..evidence import Drawings
from ..measurement import Estimate, Measurement, Part
from ..metric import Tools
from ..statistics import COSINE, mean_estimate, simultaneous_level
from .likeness import cosines


def measure_likeness(name: str, version: int, plan: AuditPlan, tools: Tools, seen: Drawings) -> Measurement:
    """Return a metric's mean cosine over prompts and by prompt group; the prompt is the independent unit.

    The floor is the same for the base against itself with other noise: what a composition that was rolled anew leaves.
    """
    import torch

    from .features import features_of

    network = tools.networks[name]
    base, tuned, other = (features_of(network, torch.from_numpy(stack), tools.progress) for stack in seen.stacks)
    shape = len(plan.prompts), plan.images_per_prompt
    kept, rolled = (cosines(base, features).reshape(shape).mean(1) for features in (tuned, other))
    groups = np.array([prompt.group for prompt in plan.prompts])
    names = sorted(set(groups.tolist()))
    level = simultaneous_level(len(names))
    parts = tuple(Part(group, _mean(kept[groups == group], rolled[groups == group], level)) for group in names)
    overall = _mean(kept, rolled, simultaneous_level(1))
    facts: dict[str, str | int | float] = {"features": network.name, "prompts": len(plan.prompts)}
    by_prompt = {name: tuple(kept.tolist())}
    return Measurement(name, version, name, {name: overall}, {"prompt_group": parts}, facts, by_prompt)


def _mean(kept: np.ndarray, rolled: np.ndarray, level: float) -> Estimate:
    return replace(mean_estimate(kept, level=level, within=COSINE), floor=float(rolled.mean()))
