"""Workers on the machines of a Ray cluster; the only file that knows Ray. No torch.

An actor holds one place of the cluster, and in it a worker process as on one machine (`processes.py`), which keeps its
base between files. Ray's own `ActorPool.map_unordered` is this loop without the part that matters here: it gives an
actor that died further tasks, where a dead one is replaced and its task goes back to the driver.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import Setting, UsageError
from ..foreign import foreign, seen
from ..ledger.row import CRASHED
from .processes import LocalWorkers
from .task import DIED, STOPPED, Listener, Outcome, Task, outcome_line, read_outcome, read_task, task_line

_LOOK = 1.0
"""Seconds after which it is seen that the run is to stop, while all actors work."""
_LEAVES = 60.0
"""Seconds that actors have to put their tasks down, as a sample in flight may take."""
_UNUSABLE = "unusable"


class RayWorkers:
    """Actors, each begun anew when it or its node dies."""

    def __init__(
        self,
        address: str,
        command: Callable[[], Sequence[str]],
        size: int = 1,
        time_limit: float | None = None,
        gpus: float | None = None,
    ) -> None:
        """Connect to a cluster, or begin a local one at the address "local".

        `command` returns on each node what starts a worker there; `gpus` is what each actor gets, by default 1 where
        the cluster has some. Raises UsageError where Ray is not installed or the cluster does not answer.
        """
        self._ray = _imported()
        with foreign(f"There is no Ray cluster at {address}"):
            self._ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
            has_gpus = self._ray.cluster_resources().get("GPU", 0) > 0
        given = float(has_gpus) if gpus is None else gpus
        # Ray retries nothing, for the driver counts a file's tries; two calls at once are a task and the word to stop.
        needs = self._ray.remote(num_cpus=1, num_gpus=given, max_restarts=0, max_task_retries=0, max_concurrency=2)
        kind = needs(_Place)
        self._make = lambda: kind.remote(command, time_limit)
        self._free: list[Any] = []
        self._left = size
        self._under_way: dict[Any, tuple[Any, Task]] = {}
        self.is_stopping = self._told = False

    def run(self, take: Callable[[], Task | None], listener: Listener) -> Iterator[tuple[Task, Outcome]]:
        """Yield tasks with their outcomes, as `Workers.run` says."""
        try:
            while True:
                self._hand_out(take)
                if not self._under_way:
                    return
                ready, _ = self._ray.wait(list(self._under_way), num_returns=1, timeout=_LOOK)
                if self.is_stopping and not self._told:
                    self._told = True
                    for actor, _ in self._under_way.values():
                        actor.stop.remote()
                for future in ready:
                    actor, task = self._under_way.pop(future)
                    yield task, self._outcome(future, actor)
        finally:
            self._end()

    def stop(self) -> None:
        """Ask all to put their tasks down, at the next look: a signal may call it, where Ray must not be called."""
        self.is_stopping = True

    def _hand_out(self, take: Callable[[], Task | None]) -> None:
        """Give every actor that is free a task, as long as there are some; one that is not there yet is begun."""
        while (self._free or self._left) and not self.is_stopping:
            task = take()
            if task is None:
                return
            if not self._free:
                self._left -= 1
                self._free.append(self._make())
            actor = self._free.pop()
            self._under_way[actor.do.remote(task_line(task))] = actor, task

    def _outcome(self, future: Any, actor: Any) -> Outcome:
        errors = self._ray.exceptions
        try:
            line = self._ray.get(future)
        except errors.RayTaskError as error:  # of our own code, in the actor
            self._drop(actor)
            return Outcome(CRASHED, f"This is a bug, please report it: {seen(error)}")
        except errors.RayError as error:
            self._drop(actor)
            return Outcome(STOPPED if self.is_stopping else DIED, f"Its place in the cluster is gone ({seen(error)}).")
        if _UNUSABLE in line:
            raise UsageError(line[_UNUSABLE], *(Setting(*setting) for setting in line["settings"]))
        self._free.append(actor)
        return read_outcome(line)

    def _drop(self, actor: Any) -> None:
        """Give up an actor, so that another one is begun in its place."""
        self._left += 1
        self._ray.kill(actor)  # it may only have been out of reach

    def _end(self) -> None:
        """End all actors: those that are free after their processes, those that work at once."""
        leaving = [actor.end.remote() for actor in self._free]
        if leaving:
            self._ray.wait(leaving, num_returns=len(leaving), timeout=_LEAVES)
        for actor in (*self._free, *(actor for actor, _ in self._under_way.values())):
            self._ray.kill(actor)
        self._free, self._under_way = [], {}


class _Place:
    """What an actor does: it hands tasks to the one worker process that it has."""

    def __init__(self, command: Callable[[], Sequence[str]], time_limit: float | None) -> None:
        self._workers = LocalWorkers(command(), 1, time_limit)
        self._todo: Task | None = None
        self._run = self._workers.run(self._take, Listener())

    def _take(self) -> Task | None:
        task, self._todo = self._todo, None
        return task

    def do(self, line: dict[str, Any]) -> dict[str, Any]:
        """Return a task's outcome, or why no task can be done here; both as JSON takes them."""
        self._todo = read_task(line)
        try:
            _, outcome = next(self._run)
        except UsageError as error:
            return {_UNUSABLE: str(error), "settings": [[s.name, s.value] for s in error.settings]}
        except StopIteration:  # asked to stop before it began
            return outcome_line(Outcome(STOPPED))
        return outcome_line(outcome)

    def stop(self) -> None:
        """Let the process finish the sample in flight, and put its task down."""
        self._workers.stop()

    def end(self) -> None:
        """Let the process end."""
        self._run.close()


def _imported() -> Any:
    try:
        import ray  # pyright: ignore[reportMissingImports]
        import ray.exceptions  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UsageError("A cluster needs another package.", Setting("install", "'owf[ray]'")) from error
    return ray
