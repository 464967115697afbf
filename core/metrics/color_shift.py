"""Did colours shift as a whole? Washed out, darker, tinted: what is common to all prompts, not what one came out like.

Pictures of many prompts are pooled, and only what their changes have in common counts, so that compositions that were
merely rolled anew add up to nothing. Our definition, in docs/metrics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidError, Setting, UsageError
from ..plan.audit_plan import AuditPlan
from .evidence import Drawings
from .images.color.color_change import UNITS, changed
from .images.color.color_hue import HUES, turn_without
from .measurement import Estimate, Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .statistics import jackknife_spread, products_estimate, simultaneous_level, spread_estimate

if TYPE_CHECKING:
    from .images.color.color_look import ColorLook

VERSION = 3
"""Version of the definition in docs/metrics.md."""

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


@dataclass(frozen=True)
class _Change:
    """The looks of two sets of pictures, prompt by prompt."""

    before: "Sequence[ColorLook]"
    """(P) of one."""
    after: "Sequence[ColorLook]"
    """(P) of the other."""


def _steadied(rows: ShiftRows) -> _Change:
    """Return the change from the base to the tuned model, held against both drawings of the base.

    What a prompt's pictures came out like is chance, in the base's as in the tuned model's. Where the tuned model
    composes as the base does with the same seeds, the chance is common to both and cancels. Where it composes anew, the
    mean of the base's two drawings is the steadier thing to hold it against. How far to go from the one to the other
    is what leaves the changes least apart: the regression of a control variate, whose mean is 0.
    """
    from .images.color.color_look import between

    base, tuned, other = (np.stack([look.quantiles for look in looks]) for looks in (rows.base, rows.tuned, rows.other))
    moved, rolled = (change - change.mean(0) for change in (tuned - base, other - base))
    spread = float(np.square(rolled).sum())
    share = min(1.0, max(0.0, float((moved * rolled).sum()) / spread)) if spread > 0 else 0.0
    return _Change([between(a, b, share) for a, b in zip(rows.base, rows.other, strict=True)], rows.tuned)


def summarise_shift(rows: ShiftRows) -> Measurement:
    """Return the length of the shift and its signed parts, with the hue of each colour term and the length by group.

    Raise InvalidError for fewer than two prompts.
    """
    if len(rows.base) < 2:
        raise InvalidError("A shift is what prompts have in common: ask for at least two.")
    moved, rolled = _steadied(rows), _Change(rows.base, rows.other)
    colors = [_moments(looks).mean(0)[:3] for looks in (moved.before, moved.after)]
    level = simultaneous_level(1)
    return Measurement(
        "color_shift",
        VERSION,
        headline="color_shift",
        estimates={"color_shift": _length(moved, rolled, slice(None), level), **_signed(moved, rolled)},
        breakdowns={"shift_group": _groups(moved, rolled, rows.groups), "hue": _hues(moved, rolled, rows.terms)},
        facts={"prompts": len(rows.base), "mean_colour_ciede2000": _visible(*colors)},
    )


def _visible(one: np.ndarray, other: np.ndarray) -> float:
    """Return how different people find two CIELAB colours (3,): CIEDE2000, of which about 1 is just noticeable."""
    try:
        from skimage.color import deltaE_ciede2000
    except ImportError as error:  # in a host that did not install what is required
        raise UsageError(
            "color_shift needs scikit-image. What was measured is kept.", Setting("install", "scikit-image")
        ) from error
    return float(deltaE_ciede2000(one, other))


def _moments(looks: "Sequence[ColorLook]") -> np.ndarray:
    return np.stack([look.moments for look in looks])


def _length(moved: _Change, rolled: _Change, chosen: np.ndarray | slice, level: float) -> Estimate:
    """Return how far the chosen prompts' (P,) colours moved together, with base against other seeds as its floor."""
    return replace(_common(moved, chosen, level), floor=_common(rolled, chosen, level).value)


def _common(change: _Change, chosen: np.ndarray | slice, level: float) -> Estimate:
    """Return the length in Delta-E of what the changes of quantiles have in common.

    Its square is without bias, and below 0 by luck where they have nothing in common; its length is then 0.
    """
    pairs = zip(change.before, change.after, strict=True)
    changes = np.stack([after.quantiles - before.quantiles for before, after in pairs])[chosen]
    squared = products_estimate(changes @ changes.T, np.ones(len(changes)), level)
    # NumPy's maximum keeps what is no number.
    value, low, high = np.sqrt(np.maximum([squared.value, squared.low, squared.high], 0.0)).tolist()
    return Estimate(value, low, high, squared.n, "delta_e")


def _groups(moved: _Change, rolled: _Change, groups: Sequence[str]) -> tuple[Part, ...]:
    """Return the length by group of prompts; one prompt alone has nothing in common with any."""
    names = [name for name in sorted(set(groups)) if groups.count(name) > 1]
    level = simultaneous_level(len(names))
    return tuple(Part(name, _length(moved, rolled, np.array(groups) == name, level)) for name in names)


def _signed(by_tuning: _Change, by_seeds: _Change) -> dict[str, Estimate]:
    """Return the signed changes; the intervals of UNITS hold together, and that of the turn is as sure as each.

    A floor is the outer end of the same interval for base against other seeds: the largest change that these alone
    plausibly make.
    """
    moved, rolled = (changed(_moments(c.before), _moments(c.after)) for c in (by_tuning, by_seeds))
    found = {}
    for name in UNITS:
        change, floor = moved.estimate(name), rolled.estimate(name)
        if change is not None and floor is not None:
            found[name] = replace(change, floor=_outer_end(floor))
    if moved.turn is not None:
        found["hue_turn"] = replace(moved.turn, floor=None if rolled.turn is None else _outer_end(rolled.turn))
    return found


def _outer_end(estimate: Estimate) -> float:
    return max(abs(estimate.low), abs(estimate.high))


def _hues(by_tuning: _Change, by_seeds: _Change, asked_for: Sequence[str]) -> tuple[Part, ...]:
    """Return by how much the hue of each term turned where prompts ask for it, besides any tint; all hold together."""
    terms = np.array(asked_for)
    asked = {term: np.flatnonzero(terms == term) for term in HUES}
    asked = {term: places for term, places in asked.items() if len(places) >= _LEAST}
    level = simultaneous_level(len(asked))
    parts = []
    for term, places in asked.items():
        moved, rolled = (_turn(change, term, places, level) for change in (by_tuning, by_seeds))
        if moved is not None:
            parts.append(Part(term, replace(moved, floor=None if rolled is None else _outer_end(rolled))))
    return tuple(parts)


def _turn(change: _Change, term: str, places: np.ndarray, level: float) -> Estimate | None:
    whole = changed(_moments(change.before), _moments(change.after))
    neutral, without = whole.whole[3:] @ (1, 1j), whole.without[:, 3:] @ (1, 1j)
    base, tuned = ([looks[i].palette for i in places] for looks in (change.before, change.after))
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
