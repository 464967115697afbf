"""Several audits on one base: the driver and the ledger of core, with the node itself as the only worker."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...core.batch.driver import Done, Driver
from ...core.batch.here import Here
from ...core.batch.rows import Asked, ask_digest
from ...core.batch.task import LOOKED, Auditor, Listener, Outcome, Task, measured
from ...core.disk.digests import Digests
from ...core.disk.lock import only_one
from ...core.disk.refusals import described
from ...core.errors import InvalidError, OwfError, UsageError
from ...core.ledger.ledger import NAME, Ledger
from ...core.ledger.row import FAILED, REFUSED
from ...core.metrics.metric import chosen
from ...core.render.formats.format import default_formats, publish, publish_run
from ...core.text import inert
from ..backend import places
from ..ui.progress import NodeProgress
from ..ui.wording import in_graph

if TYPE_CHECKING:
    from .run import AuditResult, NodeAudits

LOCK = ".run.lock"
"""Held by the one run that writes a ledger, as `owf-audit` holds it."""


def audit_many(
    choices: Sequence[str], strengths: Sequence[float], audits: "NodeAudits", progress: NodeProgress
) -> list[Done]:
    """Return what came of each LoRA at each strength; what the ledger in `output/owf` has is not measured again.

    A LoRA that cannot be audited is a row too. Raises UsageError where the ledger cannot be written or another run has
    it, and ComfyUI's exception when the user pressed cancel: what is done is kept, and the next run goes on.
    """
    tasks = [Task(places.lora_path(choice), choice, strength) for choice in choices for strength in strengths]
    with _ledger() as ledger:
        found = _drive(ledger, tasks, _Auditor(audits, progress, len(tasks)), audits)
        publish_run(ledger.rows, ledger.path.parent, default_formats())
    return [found[task] for task in tasks]


def keep(audits: "NodeAudits", choice: str, strength: float, result: "AuditResult") -> None:
    """Write what a single audit came to into the ledger; where that cannot be, the log says why."""
    task = Task(places.lora_path(choice), choice, strength)
    try:
        with _ledger() as ledger:
            _drive(ledger, [task], _Finished(measured(result.report, result.folder)), audits)
    except UsageError as error:
        logging.warning("OWF: %s", error.worded(in_graph))


@contextmanager
def _ledger() -> Iterator[Ledger]:
    """Return a context of the ledger in `output/owf`, which nobody else writes meanwhile."""
    folder = places.reports_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder, LOCK), Ledger(folder / NAME) as ledger:
        yield ledger


def _drive(ledger: Ledger, tasks: Sequence[Task], auditor: Auditor, audits: "NodeAudits") -> dict[Task, Done]:
    asked, digests = Asked(ask_digest(_asked(audits)), audits.policy), Digests(places.cache_folder())
    driver = Driver(ledger, asked, digests, lambda report, place: publish(report, place, default_formats()))
    return {done.task: done for done in driver.run(tasks, Here(auditor), Listener())}


def _asked(audits: "NodeAudits") -> dict[str, object]:
    """Return all that numbers depend on besides the LoRA, by name."""
    from ...core.adapter.adapter import READING

    request, base = audits.question.request, audits.base
    return {
        "host": "ComfyUI",
        "request": dataclasses.replace(request, images=None),
        "images": places.folder_mark(request.images) if request.images else "",
        "probes": audits.given_digest,
        "metrics": sorted((metric.name, metric.version) for metric in chosen(request.metrics)),
        "named": audits.question.base,
        "base": (base.digest(), base.device.type, str(base.dtype), base.latent_shape),
        "reading": READING,
    }


class _Auditor:
    """Audits the LoRAs that tasks name."""

    def __init__(self, audits: "NodeAudits", progress: NodeProgress, count: int) -> None:
        self._audits, self._progress, self._count, self._number = audits, progress, count, 0

    def audit(self, task: Task) -> Outcome:
        """Return how the audit of a task ended; what is wrong with the file, or beside it, is its reason."""
        self._progress.task(f"{inert(task.name, 60)} at {task.strength:g}", self._number, self._count)
        self._number += 1
        try:
            result = self._audits.lora(task.name, task.strength)
        except OwfError as error:
            reason = error.worded(in_graph).removeprefix(f"{inert(task.path.name)}: ")  # the name stands beside it
            return Outcome(REFUSED if isinstance(error, InvalidError) else FAILED, reason)
        except OSError as error:
            return Outcome(FAILED, described(error))
        return measured(result.report, result.folder)

    def look(self, task: Task) -> Outcome:
        """Return that a file may be audited: the few that a graph names are opened when their turn comes."""
        return Outcome(LOOKED)


class _Finished:
    """Gives the outcome of the one task that is done already."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def audit(self, task: Task) -> Outcome:
        """Return it."""
        return self._outcome

    def look(self, task: Task) -> Outcome:
        """Return that a file may be audited, as it was."""
        return Outcome(LOOKED)
