"""What an experiment is: the record at the end of its file, and the registry that finds it there. No torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from ..errors import UsageError
from ..registry import records
from .findings.figure import Figure
from .jobs.job import Job, Result
from .jobs.study import Study


@dataclass(frozen=True)
class Findings:
    """What came of an experiment, as docs/experiments.md has it."""

    lines: tuple[str, ...]
    """Markdown: tables, and sentences that say what they show."""
    figure: Figure | None = None
    """Its plot; None where there is nothing to plot yet."""


@dataclass(frozen=True)
class Experiment:
    """One question, what is trained and measured for it, and how the answer is told."""

    name: str
    """Name on the command line; that of its file."""
    title: str
    """Heading of its section."""
    question: str
    """What it asks, in a sentence or two; what is our definition and what the paper's."""
    jobs: Callable[[Study], tuple[Job, ...]]
    """What is trained and measured. Raises UsageError where the study does not have what it takes."""
    findings: Callable[[Study, Sequence[Result]], Findings]
    """The answer, from the results of the jobs in their order; one that asks people may leave files for them."""
    needs_base: bool = True
    """Whether anything is trained or measured on a base."""
    asks_people: bool = False
    """Whether people's ratings are part of the answer."""


@cache
def all_experiments() -> tuple[Experiment, ...]:
    """Return every experiment by name."""
    return records(__name__, "EXPERIMENT", Experiment, helpers=("page",))


def find_experiment(name: str) -> Experiment:
    """Return the experiment of a name; raise UsageError for an unknown one."""
    found = next((experiment for experiment in all_experiments() if experiment.name == name), None)
    if found is None:
        known = ", ".join(experiment.name for experiment in all_experiments())
        raise UsageError(f"Unknown experiment {name!r}; there are {known}.")
    return found
