"""Which numbers are judged, and by which limits: the default, or a user's TOML file. No torch."""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..disk.toml import parse_toml, read_toml
from ..errors import Setting, UsageError, naming
from ..metrics.metric import all_metrics
from ..metrics.metric import known as known_metric


@dataclass(frozen=True)
class Limit:
    """The most that one estimate may be before it counts as damage."""

    metric: str
    """Metric it belongs to."""
    estimate: str
    """Name of the estimate within the metric."""
    limit: float
    """Largest harmless value, in the estimate's unit; of a change that goes either way, its largest harmless size."""
    test: str = "equivalence"
    """"equivalence": PASS needs the whole interval below the limit. "alarm": only an interval wholly above
    the limit counts, as DRIFT; otherwise it says NO ALARM, for statistics whose noise floor is too large to ever
    prove harmlessness."""

    def __post_init__(self) -> None:
        if self.test not in ("equivalence", "alarm"):
            raise UsageError(f"policy: test is {self.test!r}; use 'equivalence' or 'alarm'.")
        if not math.isfinite(self.limit):
            raise UsageError(f"policy: the limit of {self.metric}.{self.estimate} must be a finite number.")


@dataclass(frozen=True)
class Policy:
    """Which estimates are judged, and by which limits."""

    limits: tuple[Limit, ...]
    """Those that are no alarms must all hold for PASS, and no alarm may fire."""
    name: str = "default"
    """Shown in the report."""


@cache
def default_policy() -> Policy:
    """Return the limits that stand in the metrics' own records, which say where each comes from."""
    return Policy(
        tuple(
            Limit(metric.name, name, known.limit, known.test)
            for metric in all_metrics()
            for name, known in metric.quantities.items()
            if known.limit is not None
        )
    )


def read_policy(path: Path) -> Policy:
    """Return the policy in a TOML file of [[limit]] tables with metric, estimate, limit and optional test."""
    with naming(Setting("policy")):
        return _policy(read_toml(path), str(path), path.stem)


def parse_policy(text: str, source: str) -> Policy:
    """Return the policy in TOML text; `source` names it in errors and, unless it has a name of its own, in reports."""
    with naming(Setting("policy")):
        return _policy(parse_toml(text, source), source, source)


def _policy(data: dict[str, Any], source: str, name: str) -> Policy:
    strangers = data.keys() - {"limit", "name"}
    if strangers:
        raise UsageError(
            f"{source}: {min(strangers)[:80]!r} is not understood; a policy has a name and [[limit]] tables."
        )
    tables = data.get("limit")
    if not isinstance(tables, list) or not tables:
        raise UsageError(f"{source} has no [[limit]] table; each needs metric, estimate and limit.")
    return Policy(tuple(_limit(source, table) for table in tables), name=str(data.get("name", name)))


def _limit(path: str, table: Any) -> Limit:
    kinds = {"metric": str, "estimate": str, "limit": (int, float), "test": str}
    if not isinstance(table, dict) or not {"metric", "estimate", "limit"} <= set(table) <= set(kinds):
        raise UsageError(f"{path}: a [[limit]] needs metric, estimate and limit, and may have test.")
    for name, value in table.items():
        if not isinstance(value, kinds[name]) or isinstance(value, bool):
            raise UsageError(f"{path}: {name} = {value!r} has the wrong type.")
    metric = known_metric(table["metric"])
    if metric is None or table["estimate"] not in metric.quantities:
        known = "; ".join(f"{other.name}: {', '.join(other.quantities)}" for other in all_metrics())
        raise UsageError(f"{path}: there is no {table['metric']} {table['estimate']}. There are {known}.")
    if not table["limit"] >= 0:
        raise UsageError(f"{path}: limit = {table['limit']} must not be negative; it is the largest harmless value.")
    return Limit(**{**table, "limit": float(table["limit"])})
