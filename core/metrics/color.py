"""Colour drift: how far the colours of tuned images moved from those of base images (CDI), in Delta-E."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidError
from ..plan.audit_plan import AuditPlan
from .evidence import Drawings
from .images.color.color_terms import TERMS
from .measurement import Estimate, Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .statistics import CHANGE_OF_SHARE, DISTANCE, mean_estimate, simultaneous_level

if TYPE_CHECKING:
    from .images.color.color_distance import PromptColor

VERSION = 2
"""Version of the definition in docs/metrics.md."""

DIRECTIONS = 73
"""Directions of the sliced distance (`color_distance`)."""

JUST_NOTICEABLE = 2.3
"""Smallest difference in Delta-E (CIE76) that people see (Mahy et al., 1994)."""


@dataclass(frozen=True)
class ColorRows:
    """Colour of every prompt: what a report is judged from."""

    prompts: tuple[str, ...]
    """P prompts."""
    terms: tuple[str, ...]
    """Basic colour term that each prompt asks for; "" where it asks for none."""
    cdi: np.ndarray
    """(P,) colour distance of tuned to base, Delta-E."""
    floor: np.ndarray | None
    """(P,) colour distance of base with other seeds to base; None where there are no other seeds."""
    across: np.ndarray | None
    """(P,) colour distance of base with other seeds to tuned; None where there are no other seeds."""
    base_shares: np.ndarray
    """(P, 11) share of the base's pixels named by each of TERMS."""
    tuned_shares: np.ndarray
    """(P, 11) the same for the tuned model."""
    floor_shares: np.ndarray | None
    """(P, 11) the same for the base with other seeds; None where there are none."""


def combine(colors: "Sequence[PromptColor]", prompts: Sequence[str], terms: Sequence[str]) -> ColorRows:
    """Return the rows of prompts that were measured one by one."""
    if not colors or not len(colors) == len(prompts) == len(terms):
        raise InvalidError(f"{len(colors)} measured prompts, {len(prompts)} prompts, {len(terms)} colour terms.")
    if unknown := sorted(set(terms) - {"", *TERMS}):
        raise InvalidError(f"Not basic colour terms: {', '.join(unknown)}. There are {', '.join(TERMS)}.")
    has_floor = all(c.floor is not None for c in colors)
    return ColorRows(
        tuple(prompts),
        tuple(terms),
        np.array([c.cdi for c in colors]),
        np.array([c.floor for c in colors]) if has_floor else None,
        np.array([c.across for c in colors]) if has_floor else None,
        np.stack([c.base_shares for c in colors]),
        np.stack([c.tuned_shares for c in colors]),
        np.stack([c.floor_shares for c in colors if c.floor_shares is not None]) if has_floor else None,
    )


def summarise_color(rows: ColorRows) -> Measurement:
    """Return mean CDI with its floor, what of it seeds do not explain, the change of terms, and CDI per asked term."""
    breakdowns = {"color_term": _term_changes(rows)}
    if any(rows.terms):
        breakdowns["color_prompt"] = _asked_terms(rows)
    facts = {
        "prompts": len(rows.prompts),
        "just_noticeable": JUST_NOTICEABLE,
        "directions": DIRECTIONS,
    }
    estimates = {"cdi": _mean_cdi(rows, np.ones(len(rows.cdi), bool), simultaneous_level(1))}
    by_prompt = {"cdi": tuple(rows.cdi.tolist())}
    if rows.floor is not None and rows.across is not None:
        beyond = rows.across - rows.floor
        estimates["cdi_beyond"] = mean_estimate(beyond, "delta_e")
        by_prompt["cdi_beyond"] = tuple(beyond.tolist())
    return Measurement("color", VERSION, "cdi", estimates, breakdowns, facts, by_prompt)


def _mean_cdi(rows: ColorRows, chosen: np.ndarray, level: float) -> Estimate:
    """Return mean CDI of the chosen prompts (P,), with mean base-against-other as its floor."""
    floor = None if rows.floor is None else float(rows.floor[chosen].mean())
    return replace(mean_estimate(rows.cdi[chosen], "delta_e", level, DISTANCE), floor=floor)


def _asked_terms(rows: ColorRows) -> tuple[Part, ...]:
    asked = [term for term in TERMS if term in rows.terms]
    level, terms = simultaneous_level(len(asked)), np.array(rows.terms)
    return tuple(Part(term, _mean_cdi(rows, terms == term, level)) for term in asked)


def _term_changes(rows: ColorRows) -> tuple[Part, ...]:
    """Return the paired change of each term's share of pixels; the 11 intervals hold together.

    The floor is the outer end of the same interval for base with other seeds: the largest change that other
    seeds alone plausibly make.
    """
    level = simultaneous_level(len(TERMS))
    changes = rows.tuned_shares - rows.base_shares
    floors = None if rows.floor_shares is None else rows.floor_shares - rows.base_shares
    parts = []
    for i, term in enumerate(TERMS):
        estimate = mean_estimate(changes[:, i], "share", level, CHANGE_OF_SHARE)
        parts.append(Part(term, replace(estimate, floor=_outer_end(floors, i, level))))
    return tuple(parts)


def _outer_end(changes: np.ndarray | None, term: int, level: float) -> float | None:
    if changes is None or len(changes) < 2:
        return None
    estimate = mean_estimate(changes[:, term], "share", level, CHANGE_OF_SHARE)
    return max(abs(estimate.low), abs(estimate.high))


def measure_color(plan: AuditPlan, tools: Tools, seen: Drawings) -> Measurement:
    """Return how far the colours of the tuned model's images moved from those of the base's."""
    import torch

    from .images.color.color_distance import measure_prompt

    shape = (len(plan.prompts), plan.images_per_prompt)
    stacks = [torch.from_numpy(images).unflatten(0, shape) for images in seen.stacks]
    # One prompt at a time on the device: a thousand images of 512 px would not fit beside the model.
    colors = []
    for prompt in zip(*stacks, strict=True):
        colors.append(measure_prompt(*(stack.to(tools.device) for stack in prompt)))
        tools.progress.advance(len(prompt) * plan.images_per_prompt)
    return summarise_color(combine(colors, [p.text for p in plan.prompts], [p.term for p in plan.prompts]))


METRIC = Metric(
    name="color",
    order=30,
    title="Colours",
    question="Did colours move?",
    reading="Mean distance between the colours of both images of a pair (color drift index), in ΔE units of human "
    "colour vision: about 2.3 is just noticeable side by side, 10 is plain at a glance.",
    needs=(Drawings,),
    measure=measure_color,
    # No limit: a composition that was rolled anew reads far more than any harm; color_shift is judged.
    quantities={
        "cdi": Quantity("Colour drift", "colour drift", metadata="color_drift"),
        "cdi_beyond": Quantity("Colour drift beyond other seeds", "colour drift beyond that of other seeds"),
    },
    breakdowns={
        "color_term": Breakdown(
            "Where colours went",
            "Change of the share of image area that people would call by each basic colour term, in points: right "
            "of zero there is more of that colour with the LoRA, left of it less.",
            worst_first=True,
            signed=True,
            worse="clearly more",
            better="clearly less",
            in_terminal="Colours, points of image area",
            swatches=True,
        ),
        "color_prompt": Breakdown(
            "When asked for a colour: drift by colour prompt",
            "Colour distance between the pictures of both models on prompts that ask for the colour.",
            worst_first=True,
            reference="overall",
        ),
    },
)
