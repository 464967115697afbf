"""One measurement of an experiment, and what came of it. No torch."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from ...disk.files import read_regular, write_text
from ...errors import UsageError
from ...metrics.measurement import Estimate
from ...train.plan import TrainPlan
from ...verdict.typed import require_types

CONTINUED, STACKED = "continued", "stacked"
"""How several LoRAs come to be: each trained on top of those before it, or each on the base alone."""
_MOST = 1 << 24
"""Bytes of a result that are believed: one has some thousands."""


LORA, INVERSION, REFERENCE = "LoRA", "textual inversion", "reference attention"
"""How a concept is taught: see `inversion` and `reference` in `work` for those that change no weights."""


@dataclass(frozen=True)
class Lesson:
    """One LoRA that is trained, or what is done instead."""

    concept: str
    """Name of the concept."""
    plan: TrainPlan
    """How."""
    pictures: int = 0
    """How many of its pictures are learned from; 0 takes all."""
    how: str = LORA
    """LORA, INVERSION or REFERENCE; the latter two are alone in their job."""


@dataclass(frozen=True)
class Job:
    """LoRAs that are trained and then audited together."""

    row: str
    """Row of the table that it belongs to, such as "DB-DC"."""
    seed: int
    """Which repetition it is."""
    lessons: tuple[Lesson, ...]
    """What is trained, in this order."""
    metrics: tuple[str, ...]
    """What is measured."""
    way: str = CONTINUED
    """CONTINUED or STACKED."""
    at: tuple[tuple[str, float], ...] = ()
    """Settings that the experiment varies, as it calls them."""
    probes: int = 0
    """Prompts of a measurement of drift by few rows, besides the audit; 0 makes none."""
    draws: int = 0
    """Pictures of the last concept that are drawn and compared with it; 0 draws none."""

    @property
    def concept(self) -> str:
        """Name of the concept that was taught last."""
        return self.lessons[-1].concept


def distinct(jobs: Iterable[Job]) -> Iterator[Lesson]:
    """Yield every lesson that is trained, once: what comes before it counts where lessons are continued."""
    seen = set()
    for job in jobs:
        for place, lesson in enumerate(job.lessons):
            before = job.lessons[:place] if job.way == CONTINUED else ()
            if (before, lesson) not in seen:
                seen.add((before, lesson))
                yield lesson


@dataclass(frozen=True)
class Result:
    """What came of a job."""

    row: str
    concept: str
    seed: int
    at: dict[str, float]
    """Of the job."""
    numbers: dict[str, Estimate]
    """Estimates of the audit and of what was learned last, by the names that reports give them."""
    decision: str
    """LEARNED, NOT LEARNED or NOT SHOWN; empty where it was not measured."""
    report: str
    """Folder of the audit's report, relative to that of the run."""
    facts: dict[str, float] = field(default_factory=dict)
    """Numbers without an interval, such as the relative size of the change."""

    def value(self, name: str) -> float | None:
        """Return a number's value; None where it was not measured."""
        return self.numbers[name].value if name in self.numbers else None


@dataclass(frozen=True)
class Learned:
    """What a training says of its concept."""

    decision: str
    """LEARNED, NOT LEARNED or NOT SHOWN."""
    numbers: dict[str, Estimate]
    """Fidelity and retrieval, those that could be measured."""


def write_result(result: Result, path: Path) -> None:
    """Write a result so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(asdict(result), indent=1, sort_keys=True) + "\n")


def read_result(path: Path) -> Result:
    """Return the result in a file; raise UsageError where it is none."""
    return _read(path, Result)


def read_learned(path: Path) -> Learned:
    """Return what a training noted; raise UsageError where a file holds no such thing."""
    return _read(path, Learned)


_Numbered = TypeVar("_Numbered", Result, Learned)


def _read(path: Path, kind: type[_Numbered]) -> _Numbered:
    try:
        data = json.loads(read_regular(path, _MOST))
        numbers = {name: Estimate(**estimate) for name, estimate in data["numbers"].items()}
        found = kind(**{**data, "numbers": numbers})
        require_types(found, kind, "result")
        return found
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} is no result of an experiment ({error}); delete it to make it anew.") from error
