"""The cheap questions before any audit: headers are looked at, and files of one base come together."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path

from .task import Task


class Looks:
    """Looks at files that are still to be taken, those under way, and what the files have in common."""

    def __init__(self, tasks: Iterable[Task] = ()) -> None:
        self._left = deque(tasks)
        self._under_way = 0
        self._groups: dict[Path, str] = {}

    @property
    def are_over(self) -> bool:
        """Whether every file was looked at."""
        return not self._left and not self._under_way

    def take(self) -> Task | None:
        """Return the next look; None where all that are left are under way."""
        if not self._left:
            return None
        self._under_way += 1
        return self._left.popleft()

    def put_back(self, task: Task) -> None:
        """Take back a look whose worker died."""
        self._under_way -= 1
        self._left.appendleft(task)

    def done(self, task: Task, group: str) -> None:
        """Learn what a file has in common with others."""
        self._under_way -= 1
        self._groups[task.path] = group

    def ordered(self, tasks: Iterable[Task]) -> list[Task]:
        """Return tasks group by group, groups and what is in them in the order in which they were."""
        tasks = list(tasks)
        groups = [self._groups.get(task.path, "") for task in tasks]
        rank = {group: place for place, group in enumerate(dict.fromkeys(groups))}
        order = sorted(range(len(tasks)), key=lambda i: rank[groups[i]])
        return [tasks[i] for i in order]
