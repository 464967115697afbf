"""What a metric is: the record at the end of its file, and the registry that finds it there.

A metric's file imports torch in functions only, if at all: a report is judged and shown from these records.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from ..errors import Setting, UsageError
from ..progress import Progress
from ..registry import records
from .evidence import Evidence
from .measurement import Measurement

if TYPE_CHECKING:
    import torch

    from ..plan.audit_plan import AuditPlan
    from .images.features import FeatureNetwork, Fetching, ImageFeatures


@dataclass(frozen=True)
class Quantity:
    """One estimate of a metric: its names, and the limit that it is held to."""

    title: str
    """Short name, in tables."""
    phrase: str = ""
    """Its name within a sentence; empty: by its key."""
    limit: float | None = None
    """Largest harmless value by default; None where only a policy of the user's own judges it."""
    test: str = "equivalence"
    """How the limit is meant; see `verdict.Limit`."""
    is_level: bool = False
    """Whether a share is a level, shown in %, and not a change, shown in points."""
    more: str = ""
    """What a value above zero is in words, such as "lighter", where it is a change in either direction; or ""."""
    less: str = ""
    """What a value below zero is."""
    metadata: str = ""
    """Its key in the metadata of a LoRA that was audited after its training; "" leaves it out."""
    names: str = ""
    """Fact of the measurement that says what the estimate is of, such as the worst class; "" where it is of all."""


@dataclass(frozen=True)
class Breakdown:
    """How the lines of one breakdown of a metric are shown."""

    title: str
    """Heading."""
    reading: str = ""
    """How to read it."""
    worst_first: bool = False
    """Whether the lines are sorted, the largest first."""
    in_order: bool = False
    """Whether the lines come in an order that says something, so that nobody may sort them."""
    signed: bool = False
    """Whether both directions mean something: values get a sign, floors count both ways."""
    reference: str = ""
    """What a marked line for the overall value is called, or ""."""
    worse: str = "clearly worse"
    """What an interval above zero means; "" where it means nothing."""
    better: str = "clearly better"
    """What an interval below zero means."""
    in_terminal: str = ""
    """What the terminal calls its largest lines; "" leaves them to the page."""
    column: str = "Drop"
    """What the terminal calls the number of those lines."""
    in_columns: bool = False
    """Whether several LoRAs are shown side by side by its lines."""
    swatches: bool = False
    """Whether the lines are basic colour terms, drawn in their colours."""
    grid: str = ""
    """Fact that holds the width of the map whose cells the lines are, row by row: they are drawn as that, and nowhere
    listed. "" for all others."""
    towards: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Line -> towards what a value above zero goes, and one below, where that is told in words."""


@dataclass(frozen=True)
class Tools:
    """What a metric may use besides its evidence."""

    device: "torch.device"
    """Where arithmetic on images is fast."""
    networks: Mapping[str, "FeatureNetwork"]
    """Metric name -> the network that its record asked for."""
    progress: Progress
    """Advances by images that were looked at: of drawings, each metric looks at all three stacks once."""
    told: tuple[str, ...] = ()
    """Words for what the LoRA was trained to change, by the user."""
    claimed: tuple[str, ...] = ()
    """The same by the file itself, which may say anything."""


@dataclass(frozen=True)
class Metric:
    """One metric: everything that plan, verdict and pages know of it."""

    name: str
    """Name in plans, policies and reports; that of its file."""
    order: int
    """Metrics are shown by this number."""
    title: str
    """Short name."""
    question: str
    """What it asks, in plain words."""
    reading: str
    """How to read its number."""
    needs: tuple[type[Evidence], ...]
    """Kinds of evidence that `measure` takes, in this order."""
    measure: Callable[..., Measurement]
    """Plan, tools, one record of each kind of evidence -> what the metric says."""
    quantities: Mapping[str, Quantity]
    """Estimate -> what it is; every estimate that `measure` may return is there."""
    breakdowns: Mapping[str, Breakdown] = field(default_factory=dict)
    """Breakdown -> how it is shown, in reading order."""
    network: "Callable[[AuditPlan, Fetching], ImageFeatures] | None" = None
    """Loads the network that `measure` uses, before anything is measured; None if it uses none."""
    of_few_steps: bool = False
    """Whether it is asked of bases only that people draw with in few steps."""
    shows_knowledge: bool = False
    """Whether it is INVALID on a base that knows nothing, so that one on which it was measured knows something."""
    takes_open_clip: bool = False
    """Whether that is the network of open_clip which a plan may name."""

    @property
    def version(self) -> int:
        """Return the `VERSION` of its file, which another definition of its numbers raises."""
        return getattr(sys.modules[self.measure.__module__], "VERSION", 0)


_HELPERS = ("evidence", "measurement", "statistics")


@cache
def all_metrics() -> tuple[Metric, ...]:
    """Return every metric in the order in which it is shown.

    Raises ValueError where two metrics call an estimate the same, for tables show it without its metric.
    """
    found = records(__name__, "METRIC", Metric, _HELPERS)
    estimates = [name for metric in found for name in metric.quantities]
    if len(set(estimates)) < len(estimates):
        raise ValueError(f"two metrics have an estimate of the same name: {sorted(estimates)}")
    return tuple(sorted(found, key=lambda metric: metric.order))


def known(name: str) -> Metric | None:
    """Return the metric called `name`; None where this release has none, as for a report of another one."""
    return next((metric for metric in all_metrics() if metric.name == name), None)


def chosen(names: Iterable[str]) -> tuple[Metric, ...]:
    """Return the metrics of these names; raises UsageError that lists the known ones."""
    metrics: list[Metric] = []
    for name in names:
        metric = known(name)
        if metric is None:
            names = ", ".join(m.name for m in all_metrics())
            raise UsageError(f"Unknown metric {name!r}; metrics are {names}.", Setting("metrics"))
        metrics.append(metric)
    return tuple(metrics)


def needed(names: Iterable[str]) -> frozenset[type[Evidence]]:
    """Return the kinds of evidence that these metrics need together."""
    return frozenset(kind for metric in chosen(names) for kind in metric.needs)


def quantity(estimate: str) -> Quantity | None:
    """Return what is known of an estimate, of whichever metric; None for one of another release."""
    return next((m.quantities[estimate] for m in all_metrics() if estimate in m.quantities), None)
