"""One row of a ledger: one LoRA at one strength, under one question. No torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from ..metrics.measurement import Measurement
from ..text import inert
from ..verdict.part import left_unjudged
from ..verdict.report import Report
from ..verdict.verdict import INVALID

COMPLETE, UNMEASURABLE, REFUSED = "complete", "invalid", "refused"
FAILED, TIMEOUT, CRASHED, MEMORY = "failed", "timeout", "crashed", "memory"
STATUSES: Mapping[str, str] = {
    COMPLETE: "measured and judged",
    UNMEASURABLE: "read, but its numbers would mean nothing: a report says why",
    REFUSED: "the file is broken, hostile, or none that can be audited",
    FAILED: "something beside the file is wrong, such as a base that is not there: tried again by the next run",
    TIMEOUT: "it took longer than the time limit",
    CRASHED: "its worker died, twice",
    MEMORY: "there was not enough memory for it",
}
"""How an audit may have ended, and what that means."""
AGAIN = (TIMEOUT, CRASHED, MEMORY)
"""What ends a file for good unless it is asked for again: trying once more may take as long."""
_WORST = 5
"""Classes that a row names: as many as a line of a table has room for."""


@dataclass(frozen=True)
class Number:
    """One estimate, and what its limit said."""

    metric: str
    name: str
    value: float
    low: float
    high: float
    n: int
    unit: str = ""
    floor: float | None = None
    limit: float | None = None
    """Its limit; None where the policy has none."""
    decision: str = ""
    """What that limit said; "" without one."""

    def plain(self) -> dict[str, object]:
        """Return it as JSON takes it: a number that is none, or endless, is null."""
        return {field.name: _finite(getattr(self, field.name)) for field in fields(self)}


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Row:
    """One LoRA at one strength, under one question."""

    name: str
    """Path within the folder that was named, or the file's name: with hash, strength and question, the row's key."""
    path: str
    """Where the file was when it was audited."""
    sha256: str
    """SHA-256 of the file, or over the files of a folder; "" where it could not be read."""
    strength: float
    stack: str
    """What was applied besides, such as "9f2c4d0b1e@0.6"; "" for nothing."""
    ask: str
    """Digest of what was asked: base, plan and precision as they were named."""
    status: str
    """One of `STATUSES`."""
    verdict: str = INVALID
    reason: str = ""
    """First reason of the verdict, or why there is none."""
    policy: str = ""
    """Name of the policy."""
    policy_digest: str = ""
    family: str = ""
    algorithm: str = ""
    autov2: str = ""
    """First ten digits of the hash, as sharing sites print it."""
    autov3: str = ""
    base: str = ""
    """Name of the base that was measured."""
    base_digest: str = ""
    plan_digest: str = ""
    preset: str = ""
    folder: str = ""
    """Folder of its report relative to the ledger; "" where it has none."""
    attempts: int = 1
    started: str = ""
    seconds: float = 0.0
    worst: Mapping[str, float] = field(default_factory=dict)
    """Classes that lost most, with the loss, the largest first."""
    numbers: tuple[Number, ...] = ()
    thumbnail: bytes = b""
    """The most changed pair as a small JPEG, base on the left; empty without pictures."""

    @property
    def key(self) -> tuple[str, str, str, float, str]:
        """What no two rows of a ledger share."""
        return self.name, self.sha256, self.ask, self.strength, self.stack

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Return the metrics that its PASS says nothing of; see `left_unjudged`."""
        return left_unjudged(self.verdict, (number.metric for number in self.numbers if number.decision))

    @property
    def applied(self) -> str:
        """Return what stands behind its name where it was not applied alone and at strength 1."""
        return applied(self.strength, self.stack)

    @property
    def folder_below(self) -> Path | None:
        """Return the folder of its report relative to the ledger; None for none, or one that lies elsewhere.

        A merged ledger names folders of other runs, and a stranger's any.
        """
        path = Path(self.folder)
        return None if not self.folder or path.is_absolute() or ".." in path.parts else path


def applied(strength: float, stack: str) -> str:
    """Return how a LoRA was applied, such as " @ 0.5 + 9f2c4d0b1e@0.6"; "" for alone and at strength 1."""
    return ("" if strength == 1 else f" @ {strength:g}") + (f" + {inert(stack, 80)}" if stack else "")


def numbers(report: Report) -> tuple[Number, ...]:
    """Return every estimate of a report, each with what the policy said of it."""
    judged = {(j.metric, j.estimate): j for j in report.verdict.judgements}
    found: list[Number] = []
    for metric, measurement in report.measurements.items():
        for name, e in measurement.estimates.items():
            j = judged.get((metric, name))
            limit, decision = (None, "") if j is None else (j.limit, j.decision)
            found.append(Number(metric, name, e.value, e.low, e.high, e.n, e.unit, e.floor, limit, decision))
    return tuple(found)


def worst(measurements: Mapping[str, Measurement]) -> dict[str, float]:
    """Return the classes that lost most, and how much."""
    parts = [part for m in measurements.values() for part in m.breakdowns.get("class", ())]
    lost = [(part.label, part.estimate.value) for part in parts if part.estimate.value > 0]
    return dict(sorted((x for x in lost if math.isfinite(x[1])), key=lambda item: (-item[1], item[0]))[:_WORST])
