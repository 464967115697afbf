"""Asked for a colour, is it got? Of the things that prompts ask for in a colour, the share that has it.

The thing is found in each picture by what stands out from its edges (`images/thing.py`), so that a red wall behind a
green car is no red car.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InvalidError
from ..plan.audit_plan import AuditPlan
from .evidence import ColorDrawings
from .images.color.color_terms import TERMS
from .measurement import Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .statistics import accuracy_estimate, drop_estimate, simultaneous_level

VERSION = 1
"""Version of the definition in docs/metrics.md."""

_TOLD = 4
"""Other colours of a term that are told, the most frequent: the rest are single pictures."""


@dataclass(frozen=True)
class AskedRows:
    """Basic colour terms of N pictures."""

    asked: tuple[str, ...]
    """What was asked for."""
    base: tuple[str, ...]
    """Of the thing in the base's picture."""
    tuned: tuple[str, ...]
    """Of that in the tuned model's."""
    other: tuple[str, ...]
    """Of that in the base's with another seed."""


def summarise_asked(rows: AskedRows) -> Measurement:
    """Return how often the asked colour is got before and after, its paired drop, and the drop of each term.

    Raises InvalidError for terms that are none.
    """
    if unknown := sorted(set(rows.asked) - set(TERMS)):
        raise InvalidError(f"Not basic colour terms: {', '.join(unknown)}. There are {', '.join(TERMS)}.")
    base, tuned, other = (_got(rows.asked, seen) for seen in (rows.base, rows.tuned, rows.other))
    drop = replace(drop_estimate(base, tuned), floor=abs(float(base.mean() - other.mean())))
    estimates = {
        "asked_got_base": accuracy_estimate(base),
        "asked_got_tuned": accuracy_estimate(tuned),
        "asked_got_drop": drop,
    }
    facts: dict[str, str | int | float] = {"pictures": len(base), **_instead(rows)}
    parts = _by_term(rows.asked, base, tuned, other)
    return Measurement("color_asked", VERSION, "asked_got_drop", estimates, {"asked_term": parts}, facts)


def _got(asked: Sequence[str], seen: Sequence[str]) -> np.ndarray:
    return np.array([a == s for a, s in zip(asked, seen, strict=True)])


def _by_term(asked: Sequence[str], base: np.ndarray, tuned: np.ndarray, other: np.ndarray) -> tuple[Part, ...]:
    """Return the paired drop of each term; the intervals hold together.

    Each floor is the largest drop that any term shows for base against base, since the worst is what a reader looks at.
    """
    terms = np.array(asked)
    groups = {term: terms == term for term in TERMS if term in asked}
    level = simultaneous_level(len(groups))
    floor = max(float(base[group].mean() - other[group].mean()) for group in groups.values())
    drops = {term: drop_estimate(base[group], tuned[group], level) for term, group in groups.items()}
    return tuple(Part(term, replace(drop, floor=floor)) for term, drop in drops.items())


def _instead(rows: AskedRows) -> dict[str, str]:
    """Return for each term that did not come out as often as before what its pictures show instead."""
    told = {}
    for term in TERMS:
        places = [i for i, asked in enumerate(rows.asked) if asked == term]
        before, after = (Counter(seen[i] for i in places) for seen in (rows.base, rows.tuned))
        if after[term] < before[term]:
            others = [(other, n) for other, n in after.most_common() if other != term][:_TOLD]
            shown = ", ".join(f"{other} {n} (before {before[other]})" for other, n in others)
            told[f"{term}_came_out_as"] = f"{term} {after[term]} (before {before[term]}), {shown}, of {len(places)}"
    return told


def measure_color_asked(plan: AuditPlan, tools: Tools, seen: ColorDrawings) -> Measurement:
    """Return whether the things of the tuned model's pictures still have the colours that were asked for."""
    import torch

    from .images.color.thing import thing_terms

    found: list[tuple[str, ...]] = []
    for stack in seen.stacks:
        terms: list[str] = []
        for picture in torch.from_numpy(stack).split(1):
            terms += thing_terms(picture.to(tools.device))
            tools.progress.advance(1)
        found.append(tuple(terms))
    return summarise_asked(AskedRows(seen.terms, *found))


METRIC = Metric(
    name="color_asked",
    order=32,
    title="Colours asked for",
    question="Does a thing still get the colour that is asked for?",
    reading="Of pictures whose prompt asks for a thing in a basic colour, the share whose thing has it, before and "
    "after. The thing is what stands out from the edges of the picture.",
    needs=(ColorDrawings,),
    measure=measure_color_asked,
    # No limit yet: what a base itself gets right differs widely, and no harm has been shown by it.
    quantities={
        "asked_got_base": Quantity("Colour got, base", is_level=True),
        "asked_got_tuned": Quantity("Colour got, LoRA", is_level=True),
        "asked_got_drop": Quantity("Colours lost", "drop of colours got when asked for", metadata="asked_got_drop"),
    },
    breakdowns={
        "asked_term": Breakdown(
            "Which colours it does not get any more",
            "Points of the things asked for in a colour that lost it. The intervals hold for all terms together; what "
            "came instead stands in the side results.",
            worst_first=True,
            in_terminal="Colours lost when asked for",
            swatches=True,
        )
    },
)
