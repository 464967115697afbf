"""No workers at all: the driver's own process does the work, and whatever ends it ends the run."""

from collections.abc import Callable, Iterator

from .task import Auditor, Listener, Outcome, Task, outcome_of


class Here:
    """Audits one task after the other where it is."""

    def __init__(self, auditor: Auditor) -> None:
        self._auditor, self.is_stopping = auditor, False

    def run(self, take: Callable[[], Task | None], listener: Listener) -> Iterator[tuple[Task, Outcome]]:
        """Yield tasks with their outcomes, as `Workers.run` says; what an audit raises passes through."""
        while not self.is_stopping and (task := take()) is not None:
            yield task, outcome_of(self._auditor, task)

    def stop(self) -> None:
        """End after the task at hand."""
        self.is_stopping = True
