"""`owf-audit` over many LoRAs: a ledger in the output folder, workers that audit, pages over all. No torch."""

import argparse
import dataclasses
import functools
import hashlib
import signal
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.batch.driver import Done, Driver
from ...core.batch.here import Here
from ...core.batch.processes import LocalWorkers
from ...core.batch.rows import Asked, ask_digest
from ...core.batch.task import LOOK, Task, Workers
from ...core.disk.digests import Digests
from ...core.disk.files import is_folder, remove_unfinished
from ...core.disk.lock import only_one
from ...core.disk.writable import require_writable
from ...core.errors import Setting
from ...core.ledger.ledger import NAME, Ledger
from ...core.ledger.sweep import sweeps
from ...core.render.audited import Audited
from ...core.render.formats.format import publish, publish_all, publish_run
from ...core.verdict.policy import default_policy, read_policy
from ...core.verdict.report import Report
from ..arguments.paths import cache_folder
from ..auditor import FileAuditor, names_of, of_many, worker_command
from ..below import stack_of
from ..beside import LeftBeside
from .asked import AUTO, asked
from .batch_progress import AtOnce, OneByOne
from .stopping import stoppable

LOCK = ".run.lock"
"""Held by the one run that writes a ledger."""
_WHOLE = 6
"""Reports that are kept whole until the end: as many as stand side by side on a page."""


@dataclass(frozen=True)
class Ended:
    """What a run over many LoRAs came to."""

    audits: list[Audited]
    """Each LoRA that is done, in the order in which they were named."""
    pages: tuple[Path, ...]
    """Files over all of them."""
    console: Any
    """Where people read."""
    sweeps: list[str]
    """Of several strengths, up to which each LoRA passes."""
    signal: int | None
    """The signal that stopped the run; None where it came to its end."""


def audit_many(files: Sequence[Path], options: argparse.Namespace, argv: Sequence[str]) -> Ended:
    """Bring the ledger of the output folder up to date with these files, and write the pages over them.

    Raises UsageError where the folder cannot be written, another run has it, or nothing can be done for any file.
    """
    options = of_many(options)
    out = run_folder(options)
    require_writable(out, Setting("out"))
    require_writable(cache_folder(options.cache), Setting("cache"))
    out.mkdir(parents=True, exist_ok=True)
    options.out = out
    tasks = _tasks(files, options)
    with only_one(out, LOCK):
        remove_unfinished(out)
        digests = Digests(cache_folder(options.cache))
        policy = default_policy() if options.policy is None else read_policy(options.policy)
        question = Asked(ask_digest(asked(options, digests)), policy, options.retry, stack_of(options.below, digests))
        with Ledger(out / NAME) as ledger:
            driver = Driver(ledger, question, digests, lambda report, place: publish(report, place, options.write))
            return _run(driver, ledger, tasks, ledger.names(question.digest), options, argv)


def run_folder(options: argparse.Namespace) -> Path:
    """Return the folder of the run: each part of a divided one has its own, for one run writes one ledger."""
    if options.shard is None:
        return options.out
    part, parts = options.shard
    return options.out / f"part-{part:0{len(str(parts))}}-of-{parts}"


def _tasks(files: Sequence[Path], options: argparse.Namespace) -> dict[Task, str]:
    """Return what is to be done, with the name that the pages give it."""
    tasks = {}
    for file, shown in zip(files, names_of(files), strict=True):
        name = _name(file, options.loras)
        if options.shard is None or _part(name, options.shard[1]) == options.shard[0]:
            for strength in options.strengths or (options.strength,):
                at = f" @ {strength:g}" if options.strengths else ""
                tasks[Task(file.absolute(), name, strength)] = shown + at
    return tasks


def _name(file: Path, named: Sequence[Path]) -> str:
    """Return a file's path within the folder that was named: the same wherever that folder is mounted."""
    inside = (file.relative_to(place) for place in named if is_folder(place) and file.is_relative_to(place))
    path = next((path for path in inside if path.name), Path(file.name))
    return path.as_posix().encode("utf-8", "backslashreplace").decode()


def _part(name: str, parts: int) -> int:
    """Return the part that a file belongs to, from 1: by its name, so that new files move none of the others."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) % parts + 1


def _run(
    driver: Driver,
    ledger: Ledger,
    tasks: dict[Task, str],
    known: Collection[str],
    options: argparse.Namespace,
    argv: Sequence[str],
) -> Ended:
    workers, console = _workers(options, argv)
    many = options.workers > 1 or options.ray is not None
    show = AtOnce(console, options.progress, len(tasks)) if many else OneByOne(console, options.progress)
    beside = LeftBeside(options.beside, Counter(task.path for task in tasks))
    done: dict[Task, Audited] = {}
    swept: set[tuple[str, str, str]] = set()
    keep = (lambda report: report) if len(tasks) <= _WHOLE else slim
    pages: tuple[Path, ...] = ()
    try:
        with stoppable(workers) as caught:
            for each in driver.run(list(tasks), workers, show, _ahead(tasks, options, known)):
                show.end()
                audited = _audited(each, tasks[each.task], options.out)
                beside.add(each, audited.folder)
                swept.add((each.row.name, each.row.ask, each.row.stack))
                done[each.task] = dataclasses.replace(audited, report=audited.report and keep(audited.report))
    finally:
        show.close()
        beside.close()
        audits = [done[task] for task in tasks if task in done]
        if audits:  # hours of work are worth a page, interrupted or not
            pages = publish_all(audits, options.out, options.write)
            pages += publish_run(ledger.rows, options.out, options.write)
    if caught and caught[0] == signal.SIGINT:
        raise KeyboardInterrupt
    found = sweeps(ledger.rows()) if options.strengths else []
    said = [s.sentence() for s in found if (s.rows[0].name, s.rows[0].ask, s.rows[0].stack) in swept]
    return Ended(audits, pages, console, said, caught[0] if caught else None)


def _ahead(tasks: Iterable[Task], options: argparse.Namespace, known: Collection[str]) -> list[Task]:
    """Return the looks at files that pay: at those that are new, where they may have several bases."""
    files = {task.path: Task(task.path, task.name, step=LOOK) for task in tasks if task.name not in known}
    return list(files.values()) if options.base in (None, AUTO) and len(files) > 1 else []


def _workers(options: argparse.Namespace, argv: Sequence[str]) -> tuple[Workers, Any]:
    """Return who does the work, and where people read."""
    from rich.console import Console

    if options.ray is not None:
        from ...core.batch.ray_workers import RayWorkers

        command = functools.partial(worker_command, list(argv))
        ray = RayWorkers(options.ray, command, options.workers, options.time_limit, options.ray_gpus)
        return ray, Console(stderr=options.progress == "json")
    if options.workers and not options.demo:  # the demo's files are our own
        return (
            LocalWorkers(worker_command(argv), options.workers, options.time_limit),
            Console(stderr=options.progress == "json"),
        )
    from .. import session as session_module

    session = session_module.Session(options)
    return Here(FileAuditor(session, options.allow_pickle)), session.console


def _audited(done: Done, name: str, home: Path) -> Audited:
    if done.report is None:
        return Audited(name, refusal=done.row.reason)
    return Audited(name, done.report, home / done.row.folder)


def slim(report: Report) -> Report:
    """Return a report with what a line of a table shows of it, so that thousands fit into memory."""
    plan = {"preset": report.plan.get("preset", "")}
    seen = {name: dataclasses.replace(m, breakdowns={}, facts={}) for name, m in report.measurements.items()}
    adapter = dataclasses.replace(report.adapter, blocks=(), details={}, warnings=())
    return dataclasses.replace(report, plan=plan, measurements=seen, adapter=adapter, pairs=(), environment={})
