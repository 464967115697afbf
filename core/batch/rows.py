"""What a run asks of every file, and the row of the ledger that answers it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..disk.files import is_folder
from ..ledger.merge import relative
from ..ledger.row import COMPLETE, Row, numbers, worst
from ..render.thumbnail import thumbnail
from ..verdict.policy import Policy
from ..verdict.rejudge import rejudged
from ..verdict.report import Report
from .task import Outcome, Task

Publish = Callable[[Report, Path], object]
"""Writes a report into its folder."""


@dataclass(frozen=True)
class Asked:
    """What one run asks of every file."""

    digest: str
    """Digest of all that numbers depend on, as it was named."""
    policy: Policy
    again: bool = False
    """Whether files are tried again that took too long, crashed, or had too little memory."""
    stack: str = ""
    """What is applied besides each file; see `Row.stack`."""

    @property
    def policy_digest(self) -> str:
        """Return what tells the policy from another one."""
        return hashlib.sha256(repr(self.policy).encode()).hexdigest()[:16]


def ask_digest(asked: Mapping[str, object]) -> str:
    """Return the digest of what was asked, whatever the order in which it is named."""
    return hashlib.sha256(repr(sorted(asked.items())).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def row_of(task: Task, outcome: Outcome, sha256: str, attempts: int, asked: Asked, home: Path) -> Row:
    """Return what a ledger in the folder `home` keeps of what came of a task, whose file has that digest."""
    report = outcome.report
    row = Row(
        name=task.name,
        path=str(task.path),
        sha256=sha256,
        strength=task.strength,
        stack=asked.stack,
        ask=asked.digest,
        status=outcome.status,
        reason=outcome.reason,
        attempts=attempts,
    )
    if report is None:
        return replace(row, policy=asked.policy.name, policy_digest=asked.policy_digest)
    folder = Path(outcome.folder)
    details = report.adapter.details
    row = replace(
        row,
        family=report.adapter.family,
        algorithm=report.adapter.algorithm,
        autov2=details.get("AutoV2", ""),
        autov3=details.get("AutoV3", ""),
        base=report.base.name,
        base_digest=report.base.digest,
        plan_digest=report.plan_digest,
        preset=str(report.plan.get("preset", "")),
        folder=relative(folder, home),
        started=str(report.timing.get("started", "")),
        seconds=float(report.timing.get("seconds", 0.0)),
        worst=worst(report.measurements),
        thumbnail=thumbnail(report, folder) if outcome.status == COMPLETE else b"",
    )
    return _judged(row, report, asked)


def _judged(row: Row, report: Report, asked: Asked) -> Row:
    """Return the row with what a report's verdict says."""
    return replace(
        row,
        verdict=report.verdict.decision,
        reason=next(iter(report.verdict.reasons), ""),
        policy=asked.policy.name,
        policy_digest=asked.policy_digest,
        numbers=numbers(report),
    )


def judge_again(row: Row, report: Report, asked: Asked, home: Path, publish: Publish) -> tuple[Report, Row]:
    """Return a report and its row as another policy judges them; the report in its folder is written anew.

    That is, where its folder lies in the ledger's: a merged ledger names those of other runs, and a stranger's any.
    """
    report = rejudged(report, asked.policy)
    if row.folder and is_folder(home / row.folder):
        folder = (home / row.folder).resolve()
        if folder != home.resolve() and folder.is_relative_to(home.resolve()):
            publish(report, folder)
    return report, _judged(row, report, asked)
