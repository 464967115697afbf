"""A worker: a process that audits one file after the other, as its driver asks over stdin and hears over stdout."""

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from ..disk.refusals import described
from ..errors import OwfError
from ..foreign import seen
from ..ledger.row import CRASHED, FAILED, MEMORY
from ..progress import Progress, Stopped
from .causes import beside_the_file
from .task import STOPPED, Auditor, Outcome, Task, line, outcome_line, outcome_of, read_task

READY, UNUSABLE, SAID, HEARD, DONE = "ready", "unusable", "said", "heard", "done"
"""What a worker says: it can begin, it never can, a sentence, a call of a Progress, an outcome."""
_ORPHANED = 75
"""Exit code of a worker whose driver is gone (EX_TEMPFAIL)."""
_FIRST_TO_DIE = "1000"
"""Linux kills by this score where memory runs out: a worker, and never its driver."""


class Voice(Progress):
    """The worker's end of the line: a Progress that passes everything on, and stops the run between two samples."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.stopping = threading.Event()

    def send(self, message: dict[str, Any]) -> None:
        """Tell the driver something; a driver that is gone ends this process."""
        try:
            self._out.write(line(message))
            self._out.flush()
        except OSError:
            os._exit(_ORPHANED)

    def say(self, text: str) -> None:
        """Tell the driver a sentence for people."""
        self.send({SAID: text})

    def _pass_on(self, call: str, *arguments: Any) -> None:
        self.send({HEARD: [call, *arguments]})

    def total(self, rows: int) -> None:
        """Pass on the length of the run."""
        self._pass_on("total", rows)

    def stage(self, title: str) -> None:
        """Pass on what is being done."""
        self._pass_on("stage", title)

    def advance(self, rows: int) -> None:
        """Pass on that rows were computed."""
        self._pass_on("advance", rows)

    def skip(self, rows: int) -> None:
        """Pass on that rows need not be computed."""
        self._pass_on("skip", rows)

    def part(self, done: int, total: int | None) -> None:
        """Pass on how far the stage is."""
        self._pass_on("part", done, total)

    def subject(self, name: str) -> None:
        """Pass on what the work is for: only a file's own counts against its time."""
        self._pass_on("subject", name)

    def kept(self) -> None:
        """Stop here where the run stops."""
        if self.stopping.is_set():
            raise Stopped


def serve(make: Callable[[Voice], Auditor]) -> int:
    """Audit what the driver asks until it has no more; return the exit code of the process.

    `make` loads what all tasks share; where it raises an OwfError, the driver is told and nothing can be done.
    """
    voice = Voice(_own_stdout())
    inbox: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(voice, inbox), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: voice.stopping.set())  # of this process alone: as the driver's word
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, which decides
    _die_first()
    try:
        auditor = make(voice)
    except OwfError as error:
        voice.send({UNUSABLE: str(error), "settings": [[s.name, s.value] for s in error.settings]})
        return error.exit_code
    voice.send({READY: os.getpid()})
    while (task := inbox.get()) is not None:
        outcome = Outcome(STOPPED) if voice.stopping.is_set() else attempt(auditor, task)
        voice.send({DONE: outcome_line(outcome)})
        if outcome.status in (MEMORY, STOPPED):
            return 0  # memory that was lost is found in a new process
    return 0


def attempt(auditor: Auditor, task: Task) -> Outcome:
    """Return how a task ends, whatever happens in it."""
    try:
        return outcome_of(auditor, task)
    except Stopped:
        return Outcome(STOPPED)
    except Exception as error:
        is_systems = isinstance(error, OSError)
        reason = described(error) if is_systems else seen(error)
        outcome = beside_the_file(error, task.path, reason)
        if outcome is not None:
            return outcome
        if is_systems:
            return Outcome(FAILED, reason)
        traceback.print_exc()
        return Outcome(CRASHED, f"This is a bug, please report it: {seen(error)}")


def _own_stdout() -> BinaryIO:
    """Return the line to the driver; what libraries print goes to the error output from here on."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


def _read(voice: Voice, inbox: "queue.SimpleQueue[Task | None]") -> None:
    """Hear the driver on a thread of its own: it may stop the run, or be gone, while a task is being done."""
    with contextlib.suppress(OSError, ValueError):
        for text in sys.stdin.buffer:
            message = json.loads(text)
            if message is None:  # no more tasks
                inbox.put(None)
                return
            if "stop" in message:
                voice.stopping.set()
            else:
                inbox.put(read_task(message))
    os._exit(_ORPHANED)  # at once: nobody would hear the rest, and the next driver wants the report's folder


def _die_first() -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            with open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - no file of ours
                score.write(_FIRST_TO_DIE)
