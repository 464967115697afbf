"""A judged number in plain sentences. No torch."""

import math
from collections.abc import Mapping
from functools import partial

from ..metrics.measurement import Estimate, Measurement
from ..metrics.metric import quantity
from ..text import inert
from .policy import Limit
from .size import Judged, goes_either_way, size
from .verdict import DRIFT, NO_ALARM, PASS


def title(metric: str, estimate: str) -> str:
    """Return the plain-word name of an estimate."""
    known = quantity(estimate)
    return known.phrase if known and known.phrase else f"{metric} {estimate.replace('_', ' ')}"


def subject(measurements: Mapping[str, Measurement], metric: str, estimate: str) -> str:
    """Return what an estimate is of, such as the worst class; "" where that is the whole, or nothing says it."""
    known = quantity(estimate)
    if known is None or not known.names or metric not in measurements:
        return ""
    return inert(str(measurements[metric].facts.get(known.names, "")), 100)


_PLAIN = ("nats", "L*", "a*", "b*")
"""Units that are written as they are."""

LEAST_FLOOR = 1e-4
"""Shown units below which a noise floor is arithmetic alone: no limit is near it, and its digits differ by machine."""

_MANY = 100
"""Times as many samples as there were, beyond which a number says nothing to whoever would draw them."""


def format_value(value: float, unit: str) -> str:
    """Return a number as people read it: shares as points, colours in Delta-E."""
    if not math.isfinite(value):
        return "unbounded"
    if unit == "share":
        return f"{100 * value:.1f} points"
    suffix = {"delta_e": " ΔE", "degrees": "°", "relative": " %"}.get(unit, f" {unit}" if unit in _PLAIN else "")
    return f"{value * (100 if unit == 'relative' else 1):.3g}{suffix}"


def _floor(value: float, unit: str) -> str:
    """Return a noise floor; the digits of one that is all but zero say nothing."""
    least = LEAST_FLOOR / (100 if unit == "relative" else 1)
    if unit == "share" or not 0 < value < least:
        return format_value(value, unit)
    return f"below {format_value(least, unit)}"


def reason(limit: Limit, estimate: Estimate, decision: str, more: int | None) -> str:
    """Return why a limit says what it does; `more` samples in all would decide it."""
    known = quantity(limit.estimate)
    # A share that is no change is a percentage, as in tables.
    unit = "relative" if estimate.unit == "share" and known is not None and known.is_level else estimate.unit
    show = partial(format_value, unit=unit)
    name = title(limit.metric, limit.estimate)
    floor = "" if estimate.floor is None else f"; noise floor {_floor(estimate.floor, unit)}"
    interval = f"95 % interval {show(estimate.low)} to {show(estimate.high)}"
    seen = f"The {name} is {show(estimate.value)} ({interval}{floor})"
    at = show(limit.limit) + (" either way" if goes_either_way(limit.estimate) else "")
    if decision == DRIFT:
        return f"{seen}, above the limit of {at}."
    if decision == NO_ALARM:
        return f"No alarm at {at}: t{seen[1:]}, {silence(estimate, limit)}."
    if decision == PASS:
        return f"{seen}, within the limit of {at}."
    undecided = f"{seen}, which does not decide between below and above the limit of {at}."
    return f"{undecided} {deciding(estimate, more)}".strip()


def deciding(estimate: Estimate, more: int | None) -> str:
    """Return how many samples in all would decide it, or that it lies too near its limit for that; "" if not known."""
    if not more:
        return ""
    if more > estimate.n * _MANY:
        return f"It lies so near the limit that {_MANY} times as many samples would not decide it."
    return f"About {more:,} samples in all would decide it."


def silence(estimate: Estimate, limit: Judged) -> str:
    """Return what it means that an alarm did not fire: seldom that there is nothing to see."""
    seen = size(estimate, limit.estimate)
    if seen.value > limit.limit:
        return "above the limit, but its interval reaches below: too few samples to tell"
    if seen.high > limit.limit:
        return "within the limit, but its interval reaches above: too few samples to tell"
    return "within the limit with its whole interval"
