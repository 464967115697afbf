"""The driver: which files are still to be audited, what came of them, and the one hand that writes the ledger."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..adapter.identity import content_digest
from ..disk.digests import Digests
from ..errors import UsageError
from ..ledger.ledger import Ledger
from ..ledger.merge import relative
from ..ledger.row import AGAIN, COMPLETE, CRASHED, FAILED, STATUSES, Row, numbers, worst
from ..render.thumbnail import thumbnail
from ..verdict.policy import Policy
from ..verdict.rejudge import left_out, rejudged
from ..verdict.report import Report
from ..verdict.verdict import DRIFT
from .looks import Looks
from .task import DIED, LOOK, LOOKED, STOPPED, Listener, Outcome, Task, Workers

Publish = Callable[[Report, Path], object]
"""Writes a report into its folder."""
_TRIES = 2
"""Times that a file is tried whose worker died: once may be another program's fault, twice is its own."""


@dataclass(frozen=True)
class Done:
    """A task that needs no more work in this run."""

    task: Task
    row: Row
    report: Report | None
    is_known: bool
    """Whether an earlier run did it."""


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


class Driver:
    """Brings the ledger up to date with some tasks: what it has is not done again, the rest goes to the workers."""

    def __init__(self, ledger: Ledger, asked: Asked, digests: Digests, publish: Publish) -> None:
        self._ledger, self._asked, self._digests, self._publish = ledger, asked, digests, publish
        self._home = ledger.path.parent
        self._todo: deque[Task] = deque()
        self._known: deque[Done] = deque()
        self._hashes: dict[Task, str] = {}
        self._under_way: dict[tuple[str, float], list[Task]] = {}
        self._tries: dict[Task, int] = {}
        self._looks = Looks()
        self._stopped = False

    def run(
        self, tasks: Sequence[Task], workers: Workers, listener: Listener, ahead: Sequence[Task] = ()
    ) -> Iterator[Done]:
        """Yield every task as it is done; those that were put down because the run stops are not.

        The files of the tasks `ahead`, all of step `LOOK`, are looked at first: those that cannot be audited are done
        with, and the others are audited base by base. Raises UsageError where the ledger cannot be written, or nothing
        can be done for any file.
        """
        self._todo.extend(tasks)
        self._looks = Looks(ahead)
        for task, outcome in workers.run(self._take, listener):
            yield from self._drain()
            if outcome.status == STOPPED:
                self._stopped = True
            elif outcome.status == DIED and self._may_try_again(task):
                self._put_back(task)
            elif task.step == LOOK:
                self._looked(task, outcome)
                yield from self._drain()
            else:
                yield self._record(task, outcome)
        yield from self._drain()

    def _put_back(self, task: Task) -> None:
        if task.step == LOOK:
            self._looks.put_back(task)
        else:
            self._todo.appendleft(task)

    def _looked(self, task: Task, outcome: Outcome) -> None:
        """Set aside what is decided by a look at a file; once all were looked at, order the rest."""
        self._looks.done(task, outcome.group)
        if outcome.status != LOOKED:
            decided = [each for each in self._todo if each.path == task.path]
            self._todo = deque(each for each in self._todo if each.path != task.path)
            for each in decided:
                self._tries[each] = self._tries[task]
                self._known.append(self._find(each) or self._record(each, outcome))
        if self._looks.are_over:
            self._todo = deque(self._looks.ordered(self._todo))

    def _drain(self) -> Iterator[Done]:
        while self._known:
            yield self._known.popleft()

    def _take(self) -> Task | None:
        """Return the next task that needs work; what the ledger knows is set aside on the way."""
        if not self._looks.are_over:
            look = None if self._stopped else self._looks.take()
            if look is not None:
                self._tries.setdefault(look, 1)
            return look
        while self._todo and not self._stopped:
            task = self._todo.popleft()
            if task in self._tries:
                return task
            content = (self._hash(task), task.strength)
            if content[0] and content in self._under_way:  # a copy: its turn comes when the other is done
                self._under_way[content].append(task)
                continue
            known = self._find(task)
            if known is not None:
                self._known.append(known)
                continue
            self._under_way[content] = []
            self._tries[task] = 1
            return task
        return None

    def _hash(self, task: Task) -> str:
        if task not in self._hashes:
            try:
                self._hashes[task] = content_digest(task.path, self._digests)
            except (OSError, UsageError):
                self._hashes[task] = ""  # the worker will say what is wrong with it
        return self._hashes[task]

    def _find(self, task: Task) -> Done | None:
        """Return what the ledger has on a task, judged by the policy of this run and under the task's own name."""
        sha256 = self._hash(task)
        asked = self._asked
        row = self._ledger.find(task.name, sha256, asked.digest, task.strength, asked.stack) if sha256 else None
        if row is None or row.status == FAILED or (row.status in AGAIN and asked.again):
            return None
        report = self._ledger.report(row)
        now = replace(row, name=task.name, path=str(task.path))
        if report is not None and row.policy_digest != asked.policy_digest:
            if left_out(report) and rejudged(report, asked.policy).verdict.decision != DRIFT:
                return None  # decided early, and by this policy not at all
            report, now = judge_again(now, report, asked, self._home, self._publish)
        if now != row:
            self._ledger.put(now, report)
        return Done(task, now, report, is_known=True)

    def _may_try_again(self, task: Task) -> bool:
        self._tries[task] += 1
        return self._tries[task] <= _TRIES

    def _record(self, task: Task, outcome: Outcome) -> Done:
        """Write what came of a task, and let its copies have their turn."""
        if outcome.fatal:
            raise UsageError(f"{task.name}: {outcome.reason}")
        if outcome.status == DIED:
            outcome = replace(outcome, status=CRASHED)
        assert outcome.status in STATUSES, outcome.status
        row = self._row(task, outcome)
        self._ledger.put(row, outcome.report)
        self._todo.extendleft(reversed(self._under_way.pop((self._hash(task), task.strength), [])))
        return Done(task, row, outcome.report, is_known=False)

    def _row(self, task: Task, outcome: Outcome) -> Row:
        report = outcome.report
        row = Row(
            name=task.name,
            path=str(task.path),
            sha256=self._hash(task),
            strength=task.strength,
            stack=self._asked.stack,
            ask=self._asked.digest,
            status=outcome.status,
            reason=outcome.reason,
            attempts=min(self._tries[task], _TRIES),
        )
        if report is None:
            return replace(row, policy=self._asked.policy.name, policy_digest=self._asked.policy_digest)
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
            folder=relative(folder, self._home),
            started=str(report.timing.get("started", "")),
            seconds=float(report.timing.get("seconds", 0.0)),
            worst=worst(report.measurements),
            thumbnail=thumbnail(report, folder) if outcome.status == COMPLETE else b"",
        )
        return judged(row, report, self._asked)


def judged(row: Row, report: Report, asked: Asked) -> Row:
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
    """Return a report and its row as another policy judges them; the report in its folder is written anew."""
    report = rejudged(report, asked.policy)
    if row.folder and (home / row.folder).is_dir():
        publish(report, home / row.folder)
    return report, judged(row, report, asked)
