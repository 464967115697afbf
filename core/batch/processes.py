"""Workers that are processes of this machine: restarted when they die, stopped when a file takes too long."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from ..errors import Setting, UsageError
from ..foreign import foreign
from ..ledger.row import CRASHED, MEMORY, TIMEOUT
from ..progress import LORA
from .task import DIED, STOPPED, Listener, Outcome, Task, line, read_outcome, task_line
from .worker import DONE, HEARD, READY, SAID, UNUSABLE

_STARTS = 3
"""Workers that may die in a row before they could begin: more of them would not begin either."""
_LEAVES = 20.0
"""Seconds that a worker with nothing to do has to end: libraries clean up."""
_WHY = {"SIGKILL": ", as the system does where memory runs out", "SIGSEGV": ", as a fault in a library does"}
_FOREVER = 2.0**20
"""Seconds without a time limit: twelve days, as `queue.get` takes no infinity."""


class LocalWorkers:
    """Worker processes, each started with one command and begun anew with it."""

    def __init__(self, command: Sequence[str], size: int = 1, time_limit: float | None = None) -> None:
        """Take what starts a worker, how many there are, and the seconds that one file may take.

        Of these only the file's own count: a base that is loaded or measured for the first time serves all of them.
        """
        self._command, self._limit = tuple(command), time_limit
        self._inbox: queue.SimpleQueue[tuple[_Worker | None, Any]] = queue.SimpleQueue()
        self._workers: list[_Worker | None] = [None] * size
        self._failed_starts, self.is_stopping = 0, False

    def run(self, take: Callable[[], Task | None], listener: Listener) -> Generator[tuple[Task, Outcome], None, None]:
        """Yield tasks with their outcomes, as `Workers.run` says."""
        try:
            while True:
                self._hand_out(take)
                if not any(self._busy()):
                    return
                yield from self._next(listener)
        finally:
            self._end()

    def stop(self) -> None:
        """Ask all to put their tasks down; a signal may call it, for nothing here waits."""
        self.is_stopping = True
        self._inbox.put((None, None))

    def _busy(self) -> "Iterator[_Worker]":
        return (worker for worker in self._workers if worker is not None and worker.task is not None)

    def _hand_out(self, take: Callable[[], Task | None]) -> None:
        """Give every worker that is free a task, as long as there are some; one that is not there yet is started."""
        for place, worker in enumerate(self._workers):
            if self.is_stopping or (worker is not None and worker.task is not None):
                continue
            task = take()
            if task is None:
                return
            if worker is None:
                worker = self._workers[place] = _Worker(self._command, self._inbox)
            worker.give(task)

    def _next(self, listener: Listener) -> Iterator[tuple[Task, Outcome]]:
        """Wait for one message, or for the time of a file to be up; yield what ended by it."""
        left = min((worker.clock.left(self._limit) for worker in self._busy()), default=_FOREVER)
        try:
            worker, message = self._inbox.get(timeout=max(0.0, left))
        except queue.Empty:
            yield from self._stop_late()
            return
        if self.is_stopping:
            for busy in self._busy():
                busy.ask_to_stop()
        if worker is None or worker not in self._workers:
            return
        if message is None:
            yield from self._buried(worker)
        elif READY in message:
            self._failed_starts = 0
            worker.ready()
        elif UNUSABLE in message:
            raise UsageError(message[UNUSABLE], *(Setting(*setting) for setting in message["settings"]))
        elif SAID in message:
            listener.say(message[SAID])
        elif HEARD in message:
            call, *arguments = message[HEARD]
            if call == "subject":
                worker.clock.hear(*arguments)
            else:
                listener.hear(call, arguments)
        elif DONE in message:
            outcome = _read(message[DONE])
            if outcome.status in (MEMORY, STOPPED):
                self._drop(worker)  # it ends by itself, and must get no other task meanwhile
            if outcome.status == STOPPED and not self.is_stopping:  # somebody ended this one process, not the run
                outcome = Outcome(DIED, "Its worker process was asked to end by SIGTERM.")
            yield worker.done(), outcome

    def _stop_late(self) -> Iterator[tuple[Task, Outcome]]:
        for worker in list(self._busy()):
            if worker.clock.left(self._limit) <= 0:
                self._drop(worker)
                said = f"It took longer than the time limit of {self._limit:g} s, and was stopped."
                yield worker.done(), Outcome(TIMEOUT, said)

    def _buried(self, worker: "_Worker") -> Iterator[tuple[Task, Outcome]]:
        self._drop(worker)
        if worker.task is None:
            return
        if not worker.is_ready:
            self._failed_starts += 1
            if self._failed_starts >= _STARTS:
                raise UsageError(f"No worker process can begin: the last one {worker.ending()}.")
        task = worker.done()
        yield task, Outcome(STOPPED if self.is_stopping else DIED, f"Its worker process {worker.ending()}.")

    def _drop(self, worker: "_Worker") -> None:
        self._workers[self._workers.index(worker)] = None
        worker.kill()

    def _end(self) -> None:
        for worker in filter(None, self._workers):
            if worker.task is None:
                worker.dismiss()
            else:
                worker.kill()
        self._workers = [None] * len(self._workers)


def _read(message: dict[str, Any]) -> Outcome:
    try:
        return read_outcome(message)
    except UsageError as error:  # a report that nobody could read later is none
        return Outcome(CRASHED, f"This is a bug, please report it: {error}")


class _Clock:
    """Counts the time that is one file's own: it stands while the base is at work."""

    def __init__(self) -> None:
        self._used, self._since = 0.0, None

    def begin(self) -> None:
        """Count from now on."""
        self._since = time.monotonic()

    def hear(self, subject: str) -> None:
        """Go on for the file, or stand for the base."""
        now = time.monotonic()
        if self._since is not None:
            self._used += now - self._since
        self._since = now if subject == LORA else None

    def left(self, limit: float | None) -> float:
        """Return the seconds that are left of a limit; very many without one, or while the clock stands."""
        if limit is None or self._since is None:
            return _FOREVER
        return limit - self._used - (time.monotonic() - self._since)


class _Worker:
    """One process, and what it is doing."""

    def __init__(self, command: Sequence[str], inbox: "queue.SimpleQueue[tuple[_Worker | None, Any]]") -> None:
        with foreign("A worker process cannot be started"):
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the driver
            )
        self.task: Task | None = None
        self.is_ready = self._asked = False
        self.clock = _Clock()
        self._reader = threading.Thread(target=self._read, args=(inbox,), daemon=True)
        self._reader.start()

    def _read(self, inbox: "queue.SimpleQueue[tuple[_Worker | None, Any]]") -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines, contextlib.suppress(OSError, ValueError):
            for text in lines:
                inbox.put((self, json.loads(text)))
        inbox.put((self, None))

    def give(self, task: Task) -> None:
        """Hand it a task; its time begins when the worker can begin."""
        self.task, self.clock = task, _Clock()
        if self.is_ready:
            self.clock.begin()
        self._send(task_line(task))

    def ready(self) -> None:
        """Begin the clock of its task."""
        self.is_ready = True
        self.clock.begin()

    def done(self) -> Task:
        """Return the task that ended; the worker is free."""
        task, self.task = self.task, None
        assert task is not None
        return task

    def ask_to_stop(self) -> None:
        """Ask it once to put its task down after the sample in flight."""
        if not self._asked:
            self._asked = True
            self._send({"stop": True})

    def dismiss(self) -> None:
        """Let it end by itself."""
        self._send(None)
        assert self._process.stdin is not None
        self._close()

    def kill(self) -> None:
        """End it, and whatever it started, now."""
        if sys.platform == "win32":
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._close()

    def _close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_LEAVES)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join(_LEAVES)

    def ending(self) -> str:
        """Return how the process ended, for people."""
        code = self._process.wait()
        if code >= 0:
            return f"ended by itself with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"was ended by {name}{_WHY.get(name, '')}"

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # a worker that is gone is heard of by the end of its output
            self._process.stdin.write(line(message))
            self._process.stdin.flush()
