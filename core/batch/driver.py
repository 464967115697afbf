"""The driver: which files are still to be audited, what came of them, and the one hand that writes the ledger."""

import contextlib
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..adapter.identity import content_digest, content_mark
from ..disk.digests import Digests
from ..errors import UsageError
from ..ledger.ledger import Ledger
from ..ledger.row import AGAIN, CRASHED, FAILED, STATUSES, Row
from ..verdict.rejudge import left_out, rejudged
from ..verdict.report import Report
from ..verdict.verdict import DRIFT
from .looks import Looks
from .rows import Asked, Publish, judge_again, row_of
from .task import DIED, LOOK, LOOKED, STOPPED, Listener, Outcome, Task, Workers

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
class _Seen:
    """A task's file, as it was before it was read."""

    mark: str
    """What changes when it does."""
    sha256: str
    """Its digest; "" where it cannot be read, or was not yet."""


class Driver:
    """Brings the ledger up to date with some tasks: what it has is not done again, the rest goes to the workers."""

    def __init__(self, ledger: Ledger, asked: Asked, digests: Digests, publish: Publish) -> None:
        self._ledger, self._asked, self._digests, self._publish = ledger, asked, digests, publish
        self._home = ledger.path.parent
        self._todo: deque[Task] = deque()
        self._known: deque[Task] = deque()
        self._seen: dict[Task, _Seen] = {}
        self._under_way: dict[tuple[str, float], list[Task]] = {}
        self._tries: dict[Task, int] = {}
        self._looks = Looks()
        self._decided: set[Task] = set()
        self._workers: Workers | None = None
        self._stopped = False

    def run(
        self, tasks: Sequence[Task], workers: Workers, listener: Listener, ahead: Sequence[Task] = ()
    ) -> Iterator[Done]:
        """Yield every task as it is done; those that were put down because the run stops are not.

        What earlier runs did comes first, a report at a time: there may be thousands. The files of the tasks `ahead`,
        all of step `LOOK`, are looked at next: those that cannot be audited are done with, and the others are audited
        base by base. Raises UsageError where the ledger cannot be written, or nothing can be done for any file.
        """
        self._workers = workers
        yield from self._known_already(tasks)
        self._looks = Looks(ahead)
        by_path: defaultdict[Path, list[Task]] = defaultdict(list)
        for task in self._todo if ahead else ():
            by_path[task.path].append(task)
        for task, outcome in workers.run(self._take, listener):
            yield from self._drain()
            if outcome.status == STOPPED:
                self._stopped = True
            elif outcome.status == DIED and self._may_try_again(task):
                self._put_back(task)
            elif task.step == LOOK:
                yield from self._looked(task, outcome, by_path[task.path])
            else:
                yield self._record(task, outcome)
        yield from self._drain()

    def _known_already(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Yield what the ledger has of tasks under their names; the others are left to be done.

        Only these are hashed before the work begins: of files that are new it would be kept waiting by all.
        """
        names = self._ledger.names(self._asked.digest)
        for task in tasks:
            found = self._find(task) if task.name in names and not self._is_stopping() else None
            self._seen.pop(task, None)  # hours may go by until its turn
            if found is None:
                self._todo.append(task)
            else:
                yield found

    def _is_stopping(self) -> bool:
        return self._stopped or (self._workers is not None and self._workers.is_stopping)

    def _put_back(self, task: Task) -> None:
        if task.step == LOOK:
            self._looks.put_back(task)
        else:
            self._todo.appendleft(task)

    def _looked(self, task: Task, outcome: Outcome, of_the_file: Sequence[Task]) -> Iterator[Done]:
        """Yield what is decided by a look at a file; once all were looked at, order the rest."""
        self._looks.done(task, outcome.group)
        seen = self._seen.pop(task)
        for each in of_the_file if outcome.status != LOOKED else ():
            self._hash(each)
            if self._seen[each].mark != seen.mark:  # a download went on: what it is now is to be seen
                del self._seen[each]
                continue
            self._decided.add(each)
            self._tries[each] = self._tries[task]
            yield self._find(each) or self._record(each, outcome)
        if self._looks.are_over:
            self._todo = deque(self._looks.ordered(each for each in self._todo if each not in self._decided))

    def _drain(self) -> Iterator[Done]:
        while self._known:
            found = self._find(self._known.popleft())
            assert found is not None, "the ledger forgot what it knew"
            yield found

    def _take(self) -> Task | None:
        """Return the next task that needs work; what the ledger knows is set aside on the way."""
        if not self._looks.are_over:
            look = None if self._is_stopping() else self._looks.take()
            if look is not None:
                self._tries.setdefault(look, 1)
                self._seen[look] = _Seen(_mark(look.path), "")
            return look
        while self._todo and not self._is_stopping():
            task = self._todo.popleft()
            if task in self._tries:
                return task
            content = (self._hash(task), task.strength)
            if content[0] and content in self._under_way:  # a copy: its turn comes when the other is done
                self._under_way[content].append(task)
                continue
            if self._find(task) is not None:
                self._known.append(task)
                continue
            self._under_way[content] = []
            self._tries[task] = 1
            return task
        return None

    def _hash(self, task: Task) -> str:
        """Return the digest of a task's file, of the moment at which it was asked for first; "" if it cannot be read.

        The worker will say what is wrong with it then.
        """
        if task not in self._seen:
            mark, sha256 = _mark(task.path), ""
            with contextlib.suppress(OSError, UsageError):
                sha256 = content_digest(task.path, self._digests)
            self._seen[task] = _Seen(mark, sha256)
        return self._seen[task].sha256

    def _find(self, task: Task) -> Done | None:
        """Return what the ledger has on a task, judged by the policy of this run and under the task's own name."""
        sha256 = self._hash(task)
        asked = self._asked
        row = self._ledger.find(task.name, sha256, asked.digest, task.strength, asked.stack) if sha256 else None
        if row is None or row.status == FAILED or (row.status in AGAIN and asked.again):
            return None
        try:
            report = self._ledger.report(row)
        except UsageError:
            return None  # what is damaged is made anew, as everywhere
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
        sha256 = self._hash(task)
        copies = self._under_way.pop((sha256, task.strength), [])
        if _mark(task.path) != self._seen.pop(task).mark and self._hash(task) != sha256:
            said = "The file changed, or went away, while it was audited: the same command audits what is there now."
            outcome, sha256 = Outcome(FAILED, said), ""  # nobody knows of which content the numbers are
        row = row_of(task, outcome, sha256, min(self._tries[task], _TRIES), self._asked, self._home)
        self._ledger.put(row, outcome.report)
        for copy in reversed(copies):
            del self._seen[copy]  # hours may have gone by
            self._todo.appendleft(copy)
        return Done(task, row, outcome.report, is_known=False)


def _mark(path: Path) -> str:
    """Return what tells whether a LoRA changed since; "" where it cannot be looked at."""
    try:
        return content_mark(path)
    except (OSError, UsageError):
        return ""
