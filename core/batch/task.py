"""What a driver asks of a worker, and what it hears back: records, and JSON between processes. No torch."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import Setting
from ..ledger.row import COMPLETE, UNMEASURABLE
from ..verdict.report import Report, parse_report, to_json

STOPPED = "stopped"
"""Status of a task that was put down because the run stops: no row, for the next run goes on with it."""
DIED = "died"
"""Status of a task whose worker is gone: the driver decides whether it is tried again."""
LOOKED = "looked"
"""Status of a file that was looked at, and may be audited."""
AUDIT, LOOK = "audit", "look"
"""Steps: an audit, or the cheap questions before it, which headers answer."""


@dataclass(frozen=True)
class Task:
    """One LoRA at one strength."""

    path: Path
    name: str
    """Path within the folder that was named, or the file's name."""
    strength: float = 1.0
    step: str = AUDIT
    """`AUDIT` or `LOOK`; a look is at a file, whatever the strength."""


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    status: str
    """One of `ledger.row.STATUSES`, `STOPPED`, `DIED` or `LOOKED`."""
    reason: str = ""
    """Why there is no report, for people; "" where there is one."""
    report: Report | None = None
    folder: str = ""
    """Where the report lies; "" without one."""
    fatal: bool = False
    """Whether every other task would end so too, as on a full disk."""
    group: str = ""
    """Of a file that was looked at: what files have in common that are audited on one base."""


def measured(report: Report, folder: Path) -> Outcome:
    """Return the outcome of a task that has a report."""
    return Outcome(COMPLETE if report.status == "complete" else UNMEASURABLE, report=report, folder=str(folder))


class Auditor(Protocol):
    """Whoever turns tasks into outcomes; what it raises is the worker's to word."""

    def audit(self, task: Task) -> Outcome:
        """Return how the audit of a task ended."""
        ...

    def look(self, task: Task) -> Outcome:
        """Return what headers say of a task's file: that it may be audited, and its group, or why not."""
        ...


def outcome_of(auditor: Auditor, task: Task) -> Outcome:
    """Return how a task ended that an auditor does."""
    return auditor.look(task) if task.step == LOOK else auditor.audit(task)


class Listener:
    """Hears of the work while it goes on."""

    def say(self, text: str) -> None:
        """Hear a sentence about the file at hand."""

    def hear(self, call: str, arguments: list[Any]) -> None:
        """Hear a call of a `Progress`, by its name."""


class Workers(Protocol):
    """Those who do the work: one process, many, or other machines."""

    is_stopping: bool
    """Whether they were asked to stop."""

    def run(self, take: Callable[[], Task | None], listener: Listener) -> Iterator[tuple[Task, Outcome]]:
        """Yield each task that `take` gives with its outcome, as they end; None means that there is none just now.

        Ends when there is none and nothing is being done. Raises UsageError where no worker can begin.
        """
        ...

    def stop(self) -> None:
        """Let every worker finish the sample in flight, and put its task down. Any thread or signal may call it."""
        ...


def task_line(task: Task) -> dict[str, Any]:
    """Return a task as JSON takes it."""
    return {"path": str(task.path), "name": task.name, "strength": task.strength, "step": task.step}


def read_task(data: dict[str, Any]) -> Task:
    """Return the task in what `task_line` made."""
    return Task(Path(data["path"]), data["name"], data["strength"], data["step"])


def outcome_line(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON takes it; the settings of its verdict stand beside the report, which has none."""
    report = outcome.report
    settings = [] if report is None else [dataclasses.astuple(setting) for setting in report.verdict.settings]
    text = None if report is None else to_json(report)
    return {**dataclasses.asdict(dataclasses.replace(outcome, report=None)), "report": text, "settings": settings}


def read_outcome(data: dict[str, Any]) -> Outcome:
    """Return the outcome in what `outcome_line` made."""
    text, settings = data.pop("report"), data.pop("settings")
    outcome = Outcome(**data)
    if text is None:
        return outcome
    report = parse_report(text, "what the worker sent")
    verdict = dataclasses.replace(report.verdict, settings=tuple(Setting(*setting) for setting in settings))
    return dataclasses.replace(outcome, report=dataclasses.replace(report, verdict=verdict))


def line(message: dict[str, Any]) -> bytes:
    """Return a message between processes: one line, in ASCII whatever it holds."""
    return json.dumps(message).encode("ascii") + b"\n"
