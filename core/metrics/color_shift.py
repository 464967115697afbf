"""Did colours shift as a whole? Washed out, darker, tinted: what is common to all prompts, not what one came out like.

Pictures of many prompts are pooled, and only what their changes have in common counts, so that compositions that were
merely rolled anew add up to nothing. Our definition, in docs/metrics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidError
from ..plan.audit_plan import AuditPlan
from .evidence import Drawings
from .images.color.ciede2000 import ciede2000
from .images.color.color_hue import HUES, turn_without
from .images.color.color_turn import common_turn
from .measurement import Estimate, Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .statistics import jackknife_spread, products_estimate, simultaneous_level, spread_estimate

if TYPE_CHECKING:
    from .images.color.color_look import ColorLook

VERSION = 2
"""Version of the definition in docs/metrics.md."""

UNITS = {
    "lightness_shift": "L*",
    "saturation_change": "relative",
    "contrast_change": "relative",
    "tint_a": "a*",
    "tint_b": "b*",
}
"""Signed estimate -> its unit, in the order of `changes`."""

_SURE = simultaneous_level(len(UNITS))
"""Level of each signed interval; those of UNITS hold together."""

_FLAT = 1.0
"""Spread of the base's colours, or of the lightness within its pictures, below which no share of it is told: a
difference of 1 is not seen."""

_LEAST = 3
"""Prompts that ask for a term, below which leaving one out says nothing of its hue's spread."""


@dataclass(frozen=True)
class ShiftRows:
    """The look of every prompt's pictures."""

    groups: tuple[str, ...]
    """Group of each of the P prompts."""
    terms: tuple[str, ...]
    """Basic colour term that each asks for; "" where it asks for none."""
    base: "Sequence[ColorLook]"
    """Looks of the base's pictures."""
    tuned: "Sequence[ColorLook]"
    """Of the tuned model's."""
    other: "Sequence[ColorLook]"
    """Of the base's with other seeds."""


def summarise_shift(rows: ShiftRows) -> Measurement:
    """Return the length of the shift and its signed parts, with the hue of each colour term and the length by group.

    Raise InvalidError for fewer than two prompts.
    """
    if len(rows.base) < 2:
        raise InvalidError("A shift is what prompts have in common: ask for at least two.")
    base, tuned = (_moments(looks) for looks in (rows.base, rows.tuned))
    colors = [moments.mean(0)[:3] for moments in (base, tuned)]
    return Measurement(
        "color_shift",
        VERSION,
        headline="color_shift",
        estimates={"color_shift": _length(rows, np.ones(len(base), bool), simultaneous_level(1)), **_signed(rows)},
        breakdowns={"shift_group": _groups(rows), "hue": _hues(rows)},
        facts={"prompts": len(base), "mean_colour_ciede2000": float(ciede2000(*colors))},
    )


def _moments(looks: "Sequence[ColorLook]") -> np.ndarray:
    return np.stack([look.moments for look in looks])


def _length(rows: ShiftRows, chosen: np.ndarray, level: float) -> Estimate:
    """Return how far the chosen prompts' (P,) colours moved together, with base against other seeds as its floor."""
    moved, rolled = (_common(rows.base, looks, chosen, level) for looks in (rows.tuned, rows.other))
    return replace(moved, floor=rolled.value)


def _common(before: "Sequence[ColorLook]", after: "Sequence[ColorLook]", chosen: np.ndarray, level: float) -> Estimate:
    """Return the length in Delta-E of what the changes of quantiles have in common.

    Its square is without bias, and below 0 by luck where they have nothing in common; its length is then 0.
    """
    changes = np.stack([b.quantiles - a.quantiles for a, b in zip(before, after, strict=True)])[chosen]
    squared = products_estimate(changes @ changes.T, np.ones(len(changes)), level)
    # NumPy's maximum keeps what is no number.
    value, low, high = np.sqrt(np.maximum([squared.value, squared.low, squared.high], 0.0)).tolist()
    return Estimate(value, low, high, squared.n, "delta_e")


def _groups(rows: ShiftRows) -> tuple[Part, ...]:
    """Return the length by group of prompts; one prompt alone has nothing in common with any."""
    names = [name for name in sorted(set(rows.groups)) if rows.groups.count(name) > 1]
    groups, level = np.array(rows.groups), simultaneous_level(len(names))
    return tuple(Part(name, _length(rows, groups == name, level)) for name in names)


def changes(before: np.ndarray, after: np.ndarray, turn: np.ndarray | float = 0.0) -> np.ndarray:
    """Return the five signed changes (..., 5), in the order of UNITS, of moments (..., 5) that are pooled already.

    Colours c = a* + i b* went to s exp(i turn) c + t, the turn (...) given in degrees: s is told by how far they
    spread, about their mean, and t by where their mean went besides. So a tint t is no change of saturation, and
    colours that fade or whose hues turn together are no tint. Both s and the change of contrast are NaN where the base
    has next to nothing that could change.
    """
    lightness, a, b, squares, contrast = np.moveaxis(np.stack([before, after]), -1, 0)
    spread = np.sqrt((squares - a**2 - b**2).clip(0))
    scale = np.where(spread[0] >= _FLAT, spread[1] / np.maximum(spread[0], _FLAT), np.nan)
    deep = np.sqrt(contrast)
    contrasts = np.where(deep[0] >= _FLAT, deep[1] / np.maximum(deep[0], _FLAT), np.nan)
    kept = np.where(np.isnan(scale), 1.0, scale)
    cosine, sine = kept * np.cos(np.radians(turn)), kept * np.sin(np.radians(turn))
    tint = (a[1] - cosine * a[0] + sine * b[0], b[1] - sine * a[0] - cosine * b[0])
    return np.stack([lightness[1] - lightness[0], scale - 1, contrasts - 1, *tint], axis=-1)


def _without_each(moments: np.ndarray) -> np.ndarray:
    """Return the mean (P, 5) of moments (P, 5) without each prompt."""
    return (moments.sum(0) - moments) / (len(moments) - 1)


@dataclass(frozen=True)
class _Pooled:
    """What changed in the pictures of all P prompts together."""

    turn: Estimate | None
    """By how much all hues turned, where that can be known."""
    whole: np.ndarray
    """(5,) `changes`."""
    without: np.ndarray
    """(P, 5) the same without each prompt."""


def _pooled(before: np.ndarray, after: np.ndarray) -> _Pooled:
    """Return what changed between moments (P, 5); a turn is taken out of the tints where there clearly is one."""
    turn, turns = common_turn(before[:, 1:3] @ (1, 1j), after[:, 1:3] @ (1, 1j), _SURE)
    if turn is None or turn.low <= 0 <= turn.high:
        whole, each = 0.0, np.zeros(len(before))
    else:
        whole, each = turn.value, turns
    without = changes(_without_each(before), _without_each(after), each)
    return _Pooled(turn, changes(before.mean(0), after.mean(0), whole), without)


def _signed(rows: ShiftRows) -> dict[str, Estimate]:
    """Return the signed changes; the intervals of UNITS hold together, and that of the turn is as sure as each.

    A floor is the outer end of the same interval for base against other seeds: the largest change that these alone
    plausibly make.
    """
    base, tuned, other = (_moments(looks) for looks in (rows.base, rows.tuned, rows.other))
    moved, rolled = _pooled(base, tuned), _pooled(base, other)
    found = {}
    for i, (name, unit) in enumerate(UNITS.items()):
        change, floor = (_change(pooled, i, unit) for pooled in (moved, rolled))
        if change is not None and floor is not None:
            found[name] = replace(change, floor=_outer_end(floor))
    if moved.turn is not None:
        found["hue_turn"] = replace(moved.turn, floor=None if rolled.turn is None else _outer_end(rolled.turn))
    return found


def _change(pooled: _Pooled, which: int, unit: str) -> Estimate | None:
    value, without = pooled.whole[which], pooled.without[:, which]
    if np.isnan([value, *without]).any():
        return None
    return spread_estimate(float(value), jackknife_spread(without), len(without), unit, _SURE)


def _outer_end(estimate: Estimate) -> float:
    return max(abs(estimate.low), abs(estimate.high))


def _hues(rows: ShiftRows) -> tuple[Part, ...]:
    """Return by how much the hue of each term turned where prompts ask for it, besides any tint; all hold together."""
    terms = np.array(rows.terms)
    asked = {term: np.flatnonzero(terms == term) for term in HUES}
    asked = {term: places for term, places in asked.items() if len(places) >= _LEAST}
    level = simultaneous_level(len(asked))
    parts = []
    for term, places in asked.items():
        moved, rolled = (_turn(rows.base, looks, term, places, level) for looks in (rows.tuned, rows.other))
        if moved is not None:
            parts.append(Part(term, replace(moved, floor=None if rolled is None else _outer_end(rolled))))
    return tuple(parts)


def _turn(
    before: "Sequence[ColorLook]", after: "Sequence[ColorLook]", term: str, places: np.ndarray, level: float
) -> Estimate | None:
    pooled = _pooled(_moments(before), _moments(after))
    neutral, without = pooled.whole[3:] @ (1, 1j), pooled.without[:, 3:] @ (1, 1j)
    base, tuned = ([looks[i].palette for i in places] for looks in (before, after))
    place = {int(prompt): i for i, prompt in enumerate(places)}
    dropped = [(place.get(prompt), complex(point)) for prompt, point in enumerate(without)]
    turn, turns = turn_without(term, base, tuned, complex(neutral), dropped)
    if turn is None:
        return None
    found = [each for each in turns if each is not None]
    # Where the hue is there only thanks to one prompt, nobody knows how far it may turn.
    spread = jackknife_spread(np.array(found)) if len(found) == len(turns) else math.inf
    return spread_estimate(turn, spread, len(places), "degrees", level)


def measure_color_shift(plan: AuditPlan, tools: Tools, seen: Drawings) -> Measurement:
    """Return how the colours of all prompts' pictures shifted together from base to tuned model."""
    import torch

    from .images.color.color_look import color_look

    looks: list[list[ColorLook]] = []
    for stack in seen.stacks:
        images = torch.from_numpy(stack).unflatten(0, (len(plan.prompts), plan.images_per_prompt))
        looks.append([])
        for prompt in images:  # one at a time on the device, as for the color drift
            looks[-1].append(color_look(prompt.to(tools.device)))
            tools.progress.advance(plan.images_per_prompt)
    return summarise_shift(ShiftRows(tuple(p.group for p in plan.prompts), tuple(p.term for p in plan.prompts), *looks))


METRIC = Metric(
    name="color_shift",
    order=31,
    title="Colour shift",
    question="Did colours shift as a whole?",
    reading="What all prompts' changes of colour have in common, in ΔE: washed out, darker, tinted. A composition that "
    "came out differently adds nothing to it, so the base against itself reads near 0.",
    needs=(Drawings,),
    measure=measure_color_shift,
    # The limits are argued in docs/metrics.md: twice what is just seen, and alarms a little above what is.
    quantities={
        "color_shift": Quantity("Colour shift", "systematic shift of colours", limit=5.0, metadata="color_shift"),
        "lightness_shift": Quantity(
            "Lightness", "change of lightness", limit=3.0, test="alarm", more="lighter", less="darker"
        ),
        "saturation_change": Quantity(
            "Saturation",
            "change of saturation",
            limit=0.1,
            test="alarm",
            more="more saturated",
            less="less saturated",
            metadata="saturation_change",
        ),
        # A tenth of a radian moves colours as far as a tenth of saturation does.
        "hue_turn": Quantity(
            "Hues",
            "turn of all hues",
            limit=6.0,
            test="alarm",
            more="turned from red towards yellow",
            less="turned from red towards pink",
        ),
        "contrast_change": Quantity("Contrast", "change of contrast", more="more contrast", less="less contrast"),
        "tint_a": Quantity(
            "White balance, green to red",
            "tint along a*",
            limit=3.0,
            test="alarm",
            more="tinted red",
            less="tinted green",
        ),
        "tint_b": Quantity(
            "White balance, blue to yellow",
            "tint along b*",
            limit=3.0,
            test="alarm",
            more="tinted yellow",
            less="tinted blue",
        ),
    },
    breakdowns={
        "shift_group": Breakdown(
            "Whose colours shifted: by prompt group",
            "What the changes within a group have in common. None of these prompts names the concept.",
            worst_first=True,
            reference="overall",
        ),
        "hue": Breakdown(
            "Which hues turned",
            "By how many degrees on the circle red, orange, yellow, green, blue, purple, pink the hue turned where a "
            "prompt asks for it, besides any tint: right of zero towards the next one. The intervals hold together.",
            worst_first=True,
            signed=True,
            worse="clearly turned",
            better="clearly turned",
            swatches=True,
            towards={term: (hue.on, hue.back) for term, hue in HUES.items()},
        ),
    },
)
