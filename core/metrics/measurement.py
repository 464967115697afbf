"""What was seen: estimates with intervals and noise floors, grouped by metric. No torch."""

import math
from dataclasses import dataclass, field

from ..errors import InvalidError


@dataclass(frozen=True)
class Estimate:
    """One number with its confidence interval and its noise floor."""

    value: float
    """Point estimate."""
    low: float
    """Lower end of the 95 % confidence interval."""
    high: float
    """Upper end of the 95 % confidence interval."""
    n: int
    """Independent samples behind it (images, prompts)."""
    unit: str = ""
    """"share" (0.1 is ten points), "delta_e", "L*", "a*", "b*", "degrees", "nats", "relative" or "", a plain number."""
    floor: float | None = None
    """The same statistic for base against base with other seeds; None where it has no meaning."""


@dataclass(frozen=True)
class Part:
    """One line of a breakdown, such as one class or one timestep band."""

    label: str
    """What the line is about."""
    estimate: Estimate
    """Its number."""


@dataclass(frozen=True)
class Measurement:
    """Everything one metric has to say about base against tuned."""

    metric: str
    """Name of the metric's record, such as "semantic"."""
    version: int
    """Version of the metric's definition in docs/metrics.md."""
    headline: str
    """Key in `estimates` of the number that is shown first."""
    estimates: dict[str, Estimate]
    """Name -> estimate."""
    breakdowns: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    """Name of the breakdown ("class", "color_term", "timestep", "prompt_group") -> its lines."""
    facts: dict[str, str | int | float] = field(default_factory=dict)
    """Settings and side results that have no interval: feature network, p-value, worst class, temperature."""
    prompts: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Estimate -> what it is for each of the plan's prompts alone; left out of the JSON where there is none."""


def require_numbers(seen: Measurement) -> Measurement:
    """Return the measurement; raise InvalidError where an estimate is no number: NaN is on neither side of a limit."""
    parts = ((f"{name}: {part.label}", part.estimate) for name, some in seen.breakdowns.items() for part in some)
    for name, estimate in (*seen.estimates.items(), *parts):
        if not math.isfinite(estimate.value) or math.isnan(estimate.low) or math.isnan(estimate.high):
            raise InvalidError(f"{seen.metric}: {name} is NaN or infinite, so it says nothing.")
    return seen
