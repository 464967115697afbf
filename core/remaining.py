"""What an audit still has to compute: what its plan costs, less what a cache or an interrupted run holds already."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .plan import AuditPlan, Cost, sample_rows
from .store import SampleStore


@dataclass(frozen=True)
class Remaining:
    """UNet rows that are still to be computed."""

    tuned: int
    """Of the tuned model."""
    base: int
    """Of the base."""


def remaining(
    plan: AuditPlan, cost: Cost, of_base: Iterable[tuple[str, str]], of_tuned: Iterable[tuple[str, str]]
) -> Remaining:
    """Return what is left of a plan's cost where the (stage, item) of base and tuned model are measured already.

    A store belongs to one plan and one model, so every sample in it is one that the plan asks for.
    """
    rows = sample_rows(plan)
    done_base, done_tuned = (sum(rows[stage] for stage, _ in samples) for samples in (of_base, of_tuned))
    return Remaining(cost.tuned - done_tuned, cost.base - done_base)


def measured_in(path: Path) -> frozenset[tuple[str, str]]:
    """Return the (stage, item) of every sample in a store's file; none where there is no file, which stays so."""
    if not path.is_file():
        return frozenset()
    with SampleStore(path) as store:
        return store.measured()
