"""What does the work of `owf-audit` over many LoRAs: a file becomes an outcome, here or in a worker process."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.adapter.naming.stated.stated_base import stated_base
from ..core.errors import InvalidError, OwfError
from ..core.ledger.row import FAILED, REFUSED
from ..core.text import inert
from ..core.verdict.verdict import EXIT_CODES, worst
from .output.wording import worded

if TYPE_CHECKING:
    from ..core.adapter import Adapter
    from ..core.batch.task import Outcome, Task

Read = TypeVar("Read")
PACKAGE = Path(__file__).resolve().parent.parent
"""The folder that is the package, whatever it is called and whether it is installed."""


WORKER = "--be-a-worker"
"""First argument of a worker process; no file is called so."""


def worker_command(argv: Sequence[str]) -> list[str]:
    """Return what starts a worker that audits as these arguments ask.

    By its path, so that it is this very copy of the program, and so that nothing in the folder that the user is in is
    taken for a module.
    """
    return [sys.executable, str(PACKAGE / "__main__.py"), WORKER, *argv]


def of_many(options: argparse.Namespace) -> argparse.Namespace:
    """Return the options as runs over many LoRAs mean them: they go on where one was interrupted."""
    return argparse.Namespace(**{**vars(options), "resume": True})


class FileAuditor:
    """Audits the files that tasks name, in one session."""

    def __init__(self, session: Any, allow_pickle: bool) -> None:
        self._session, self._allow_pickle = session, allow_pickle

    def audit(self, task: "Task") -> "Outcome":
        """Return how the audit of a task ended; what is wrong with the file, or beside it, is its reason."""
        from ..core.batch.task import measured

        try:
            published = self._session.audit(read_lora(task.path, self._allow_pickle), task.strength)
        except OwfError as error:
            return _refused(task, error)
        return measured(published.report, published.folder)

    def look(self, task: "Task") -> "Outcome":
        """Return whether headers let a file be audited, and what it says of its base."""
        from ..core.adapter.reader import glance
        from ..core.batch.task import LOOKED, Outcome

        try:
            seen = _reading(lambda: glance(task.path, allow_pickle=self._allow_pickle), task.path)
        except OwfError as error:
            return _refused(task, error)
        return Outcome(LOOKED, group=f"{seen.family}: {stated_base(seen.stated).words()}")


def _refused(task: "Task", error: OwfError) -> "Outcome":
    """Return how an audit ended without a report; only what is wrong with the file itself stays for later runs."""
    from ..core.batch.causes import beside_the_file
    from ..core.batch.task import Outcome

    reason = worded(error).removeprefix(f"{inert(task.path.name)}: ")  # the name stands beside it
    beside = beside_the_file(error, task.path, reason)
    if beside is not None:
        return beside
    # A pickle is refused until somebody trusts it, and that is no part of the question.
    may_be_allowed = any(setting.name == "allow_pickle" for setting in error.settings)
    return Outcome(REFUSED if isinstance(error, InvalidError) and not may_be_allowed else FAILED, reason)


def names_of(files: Sequence[Path]) -> list[str]:
    """Return a name for each file, with its folder's where the file's alone would not do."""
    seen = Counter(file.name for file in files)
    return [file.name if seen[file.name] == 1 else f"{file.absolute().parent.name}/{file.name}" for file in files]


def exit_code(decisions: Iterable[str], fail_on: Sequence[str] | None) -> int:
    """Return the code of the worst decision; of those that a run is to fail on, where these are named, and else 0."""
    told = [decision for decision in decisions if fail_on is None or decision in fail_on]
    return EXIT_CODES[worst(told)] if told or fail_on is None else 0


def read_lora(file: Path, allow_pickle: bool) -> "Adapter":
    """Return the LoRA in a file; the error names the file."""
    from ..core.adapter import read_adapter

    return _reading(lambda: read_adapter(file, allow_pickle=allow_pickle), file)


def _reading(read: Callable[[], Read], file: Path) -> Read:
    """Return what is read of a file; the error names it."""
    try:
        return read()
    except InvalidError as error:
        raise error.at(inert(file.name)) from error
    except OSError as error:
        raise InvalidError(f"{inert(file.name[:200])}: cannot be opened: {error.strerror}") from error
