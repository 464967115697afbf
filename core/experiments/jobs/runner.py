"""Jobs one after the other, each kept as soon as it is done: what is interrupted goes on where it was. No torch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ...disk.files import remove_unfinished
from ...disk.lock import only_one
from .job import Job, Result, read_result, write_result

RESULTS = "results"
"""Folder of the results."""


class Worker(Protocol):
    """What trains and measures."""

    def key(self, job: Job) -> str:
        """Return a name of everything that a job's result depends on."""
        ...

    def run(self, job: Job) -> Result:
        """Return what comes of a job."""
        ...


Tell = Callable[[int, int, Result], None]
"""Hears how many jobs are done, of how many, and what came of the last."""


def run_jobs(jobs: Sequence[Job], worker: Worker, folder: Path, tell: Tell) -> list[Result]:
    """Return the results of all jobs, in their order; those that were done before are read.

    Raises UsageError where another run is at it, and for a result that cannot be read.
    """
    place = folder / RESULTS
    place.mkdir(parents=True, exist_ok=True)
    with only_one(place):
        remove_unfinished(place)
        found = []
        for done, job in enumerate(jobs, 1):
            found.append(_result(job, worker, place / f"{worker.key(job)}.json"))
            tell(done, len(jobs), found[-1])
        return found


def _result(job: Job, worker: Worker, path: Path) -> Result:
    if path.exists():
        return read_result(path)
    result = worker.run(job)
    write_result(result, path)
    return result
