"""One job: what it asks the command line, how far it is, what came of it."""

import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ...core.text import inert

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
ENDED = (DONE, FAILED, CANCELLED)
_LINES = 200
"""Lines of a job's log that are kept, the last ones."""
_WIDTH = 2000
"""Characters of such a line."""
_POINTS = 2000
"""Steps of a training that are kept for its curves; every other one is dropped when there are more."""
_MOST = 10**12
"""Rows and steps; a number of a thousand digits fits the schema, and in no fraction."""
_LONGEST = 10**8
"""Seconds of an estimate that is shown: three years."""


@dataclass(frozen=True)
class Verdict:
    """What came of one LoRA."""

    lora: str
    strength: float
    decision: str
    folder: str | None
    """Where its report lies; None where there is none."""


@dataclass(frozen=True)
class Command:
    """One call of the command line."""

    arguments: tuple[str, ...]
    """`audit` or `train`, then its options."""
    loras: tuple[str, ...] = ()
    """LoRAs of an audit, as the host calls them."""
    strength: float = 1.0


@dataclass
class Job:
    """A job; its runner writes it, everybody else reads."""

    kind: str
    """"audit", "train" or "prepare"."""
    title: str
    commands: tuple[Command, ...]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: str = WAITING
    stage: str = ""
    rows: int = 0
    total: int = 0
    eta_seconds: float | None = None
    finished: int = 0
    """LoRAs whose audit is through."""
    verdicts: list[Verdict] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    """Events of a training's steps."""
    trained: dict[str, Any] | None = None
    """What the end of a training said."""
    message: str = ""
    """Why it ended as it did; empty while it runs, and where all went well."""
    exit_code: int | None = None
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    started: float = field(default_factory=time.time)
    ended: float | None = None
    _every: int = 1

    @property
    def loras(self) -> int:
        """How many LoRAs it audits, each strength counted."""
        return sum(len(command.loras) for command in self.commands)

    @property
    def share(self) -> float:
        """How far it is, from 0 to 1: the audits that are through, and the rows of the one that runs."""
        part = min(max(self.rows / self.total, 0.0), 1.0) if self.total > 0 else 0.0
        return 1.0 if self.state == DONE else min((self.finished + part) / max(self.loras, 1), 1.0)

    def say(self, text: str) -> None:
        """Keep a line of the log."""
        self.log.append(text[:_WIDTH])

    def take(self, event: dict[str, Any], command: Command) -> None:
        """Learn what an event of the command says."""
        kind = event["event"]
        if "rows" in event:
            self.stage, self.rows, self.total = event["stage"], _plausible(event["rows"]), _plausible(event["total"])
            eta = event["eta_seconds"]
            self.eta_seconds = eta if eta is not None and 0 <= eta < _LONGEST else None
        if kind == "end" and command.loras:
            self.finished = min(self.finished + 1, self.loras)
            self.rows = self.total = 0
        elif kind == "step":
            self._keep_step(event)
        elif kind == "report":
            name = command.loras[0] if command.loras else self.title
            self.verdicts.append(Verdict(name, command.strength, event["verdict"], event["folder"]))
        elif (
            kind == "verdict"
        ):  # they come in the order of the call; the command line knows files, not the host's names
            known = sum(verdict.strength == command.strength for verdict in self.verdicts)
            name = command.loras[known] if known < len(command.loras) else event["lora"]
            self.verdicts.append(Verdict(name, command.strength, event["verdict"], event["folder"]))
        elif kind in ("trained", "interrupted"):
            self.trained = event
        elif kind == "error":
            self.message = event["message"]

    def _keep_step(self, event: dict[str, Any]) -> None:
        if not 0 < event["step"] <= event["steps"] < _MOST:
            return
        if event["step"] % self._every == 0 or event["drift"] is not None or event["step"] == event["steps"]:
            self.steps.append(event)
        if len(self.steps) > _POINTS:
            self._every *= 2
            self.steps = self.steps[::2]

    def plain(self) -> dict[str, Any]:
        """Return it as plain data for JSON, its texts inert, without paths of the machine."""
        verdicts = [{"lora": inert(v.lora, 1000), "strength": v.strength, "verdict": v.decision} for v in self.verdicts]
        return {
            "id": self.id,
            "kind": self.kind,
            "title": inert(self.title),
            "state": self.state,
            "stage": inert(self.stage),
            "share": round(self.share, 4),
            "rows": self.rows,
            "total": self.total,
            "eta_seconds": self.eta_seconds,
            "verdicts": verdicts,
            "message": inert(self.message, 2000),
            "exit_code": self.exit_code,
            "started": self.started,
            "ended": self.ended,
        }


def _plausible(rows: int) -> int:
    return min(max(rows, 0), _MOST)
