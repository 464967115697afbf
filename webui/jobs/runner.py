"""Runs one job at a time: the command line in a child process, watched, ended when it is to end."""

import atexit
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from .child import GRACE, STOP, kill_tree
from .events import LONGEST, read_event
from .job import CANCELLED, DONE, ENDED, FAILED, RUNNING, WAITING, Command, Job

CHILD = Path(__file__).resolve().parent / "child.py"
VERDICTS = {0: "PASS", 1: "DRIFT", 3: "INCONCLUSIVE", 4: "INVALID"}
"""Exit codes of an audit that came to an end, and the verdict that they stand for."""
_POLL = 0.2
"""Seconds between two looks at a child."""
_PATIENCE = 5.0
"""Seconds that a child may outlive the grace that it gives itself, and its output may outlive the child."""
_KEPT = 20
"""Jobs that are remembered."""
_NOT_THE_CHILDS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
"""Variables that would lead another Python to the host's packages."""

Step = Callable[[Job], None]
"""What is done for a job before its commands, or with one that went well before it counts as done; an OSError there is
the job's failure."""


def nothing(job: Job) -> None:
    """Do nothing."""


class Busy(Exception):
    """Another job runs."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"Another job is running: {job.title}. Wait for it, or cancel it.")
        self.job = job


class Turn:
    """The host, as far as a job needs it: its own are held back, and its memory is free, between begin and end."""

    def hold(self, job: Job) -> AbstractContextManager[None]:
        """Return the context in which the job runs; entering it may wait for what the host is at."""
        return contextlib.nullcontext()

    def interrupted(self) -> bool:
        """Return whether somebody pressed the host's own button."""
        return False


class Runner:
    """Jobs of this process, the last ones first; at most one of them has not ended."""

    def __init__(self, turn: Turn, program: Path = CHILD) -> None:
        self._turn, self._program = turn, program
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._wishes: dict[str, threading.Event] = {}
        self._ended = threading.Condition(self._lock)
        atexit.register(self.close)

    def start(self, job: Job, python: str, finish: Step = nothing, begin: Step = nothing) -> Job:
        """Return the job, which runs from now on; raise Busy where another one has not ended."""
        with self._lock:
            for other in self._jobs.values():
                if other.state not in ENDED:
                    raise Busy(other)
            self._jobs[job.id], self._wishes[job.id] = job, threading.Event()
            for old in list(self._jobs)[:-_KEPT]:
                del self._jobs[old], self._wishes[old]
        threading.Thread(target=self._run, args=(job, python, finish, begin), name=f"owf-{job.id}", daemon=True).start()
        return job

    def get(self, id: str) -> Job | None:
        """Return a job by its id."""
        with self._lock:
            return self._jobs.get(id)

    def last(self) -> Job | None:
        """Return the job that runs, or else the one that ran last."""
        with self._lock:
            return next(reversed(self._jobs.values()), None)

    def wait(self, job: Job, seconds: float) -> bool:
        """Return whether a job has ended within some seconds."""
        with self._ended:
            return self._ended.wait_for(lambda: job.state in ENDED, seconds)

    def cancel(self, id: str) -> bool:
        """Ask a job to end; return False where there is none of this id that could."""
        with self._lock:
            job = self._jobs.get(id)
            if job is None or job.state in ENDED:
                return False
            self._wishes[id].set()
            if job.state == WAITING:  # the host may be at something long: nobody waits for it to hear of a cancel
                self._end(job, CANCELLED, "Cancelled before it began.")
        return True

    def close(self) -> None:
        """Kill what still runs: the host ends."""
        for child in list(self._children.values()):
            kill_tree(child.pid)

    def _end(self, job: Job, state: str, message: str) -> None:
        """Set the end of a job; the lock is held."""
        job.state, job.message, job.ended, job.eta_seconds = state, message, time.time(), None
        self._ended.notify_all()

    def _run(self, job: Job, python: str, finish: Step, begin: Step) -> None:
        state, message = FAILED, "This is a bug, please report it."
        try:
            with self._turn.hold(job):
                with self._lock:
                    if job.state in ENDED:
                        return
                    job.state = RUNNING
                begin(job)
                state, message = self._run_commands(job, python)
            if state == DONE:
                finish(job)
        except OSError as error:
            state, message = FAILED, f"{error.strerror or error}: {error.filename or python}."
        except Exception as error:  # a job that raises must not stay the one that runs
            job.say(f"{type(error).__name__}: {error}")
            message = f"This is a bug, please report it: {error!r}"[:2000]
        finally:
            with self._lock:
                if job.state not in ENDED:
                    self._end(job, state, message)

    def _run_commands(self, job: Job, python: str) -> tuple[str, str]:
        wish = self._wishes[job.id]
        for command in job.commands:
            with self._child(job, command, python) as child:
                self._watch(job, child, wish)
            job.exit_code = child.returncode
            if wish.is_set() and not _came_to_an_end(job, command):
                return CANCELLED, _cancelled(job)
            if not _came_to_an_end(job, command):
                return FAILED, job.message or _died(job)
        return DONE, job.message

    @contextmanager
    def _child(self, job: Job, command: Command, python: str) -> Iterator[subprocess.Popen[bytes]]:
        """Return a context with a command's process, which is gone when it ends, with all that it started."""
        child = subprocess.Popen(
            [python, "-I", str(self._program), *command.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment_of_child(),
            start_new_session=os.name == "posix",  # a group of its own, to be killed as one
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows, and only there
        )
        self._children[job.id] = child
        assert child.stdout is not None and child.stderr is not None and child.stdin is not None
        readers = [
            threading.Thread(target=_read_events, args=(child.stdout, job, command), daemon=True),
            threading.Thread(target=_read_log, args=(child.stderr, job), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            yield child
        finally:
            kill_tree(child.pid)  # what it left behind, or itself
            child.wait()
            for reader in readers:
                reader.join(_PATIENCE)  # what escaped from the group may hold the pipe: not waited for
            with contextlib.suppress(OSError):
                child.stdin.close()
            del self._children[job.id]

    def _watch(self, job: Job, child: subprocess.Popen[bytes], wish: threading.Event) -> None:
        """Return when the child has ended; it is asked to, and then made to, once somebody wishes it."""
        killed_at = None
        while child.poll() is None:
            if self._turn.interrupted():
                wish.set()
            if wish.is_set() and killed_at is None:
                killed_at = time.monotonic() + GRACE + _PATIENCE
                job.stage = "Stopping"
                assert child.stdin is not None
                with contextlib.suppress(OSError):
                    child.stdin.write(STOP)
                    child.stdin.flush()
            if killed_at is not None and time.monotonic() > killed_at:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_POLL)


def environment_of_child() -> dict[str, str]:
    """Return the variables that a child gets: the host's, without those that lead another Python to its packages."""
    return {name: value for name, value in os.environ.items() if name not in _NOT_THE_CHILDS}


def _read_events(stream: IO[bytes], job: Job, command: Command) -> None:
    with stream:
        while line := stream.readline(LONGEST + 1):
            event = read_event(line)
            if event is None:
                job.say(line.decode("utf-8", "replace").rstrip())  # a library may print what it likes
            else:
                job.take(event, command)


def _read_log(stream: IO[bytes], job: Job) -> None:
    with stream:
        while line := stream.readline(LONGEST):
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                job.say(text)
                print(f"OWF: {text[:500]}", file=sys.stderr)  # where the host's own log is read


def _came_to_an_end(job: Job, command: Command) -> bool:
    """Return whether a command did what it was for: its exit code and its last events agree."""
    if not command.loras:
        return job.exit_code == 0 and (job.kind != "train" or job.trained is not None)
    found = [verdict.decision for verdict in job.verdicts if verdict.strength == command.strength]
    return VERDICTS.get(job.exit_code if job.exit_code is not None else -1, "") in found


def _cancelled(job: Job) -> str:
    if job.kind == "train" and job.trained is not None:
        return f"Cancelled after step {job.trained['steps']}; the same training goes on from there."
    return "Cancelled. The same job goes on where it stopped." if job.kind != "prepare" else "Cancelled."


def _died(job: Job) -> str:
    """Return what was seen of a child that ended without a result."""
    code = job.exit_code if job.exit_code is not None else 0
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    last = next((line for line in reversed(job.log) if line.strip()), "")
    return f"The process {how} and left no result." + (f" Its last line: {last[:500]}" if last else "")
