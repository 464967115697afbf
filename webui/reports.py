"""Reports on disk: those of a job, and the earlier ones."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import OwfError
from . import host
from .jobs.job import Job

if TYPE_CHECKING:
    from ..core.verdict.report import Report

FILE, PAGE = "report.json", "report.html"
SHOWN = 50
"""Earlier audits that are listed, the newest first."""


@dataclass(frozen=True)
class Earlier:
    """A report that lies below the extension's folder."""

    name: str
    """Its folder, from there."""
    report: "Report"


def report_of(job: Job, number: int) -> Path | None:
    """Return the report of a job's verdict, counted from 0; None where there is none."""
    if not 0 <= number < len(job.verdicts) or job.verdicts[number].folder is None:
        return None
    path = Path(str(job.verdicts[number].folder)) / FILE
    return path if is_ours(path) else None


def is_ours(path: Path) -> bool:
    """Return whether this is a file below the extension's folder, links followed."""
    try:
        return path.is_file() and path.resolve().is_relative_to(host.data_folder().resolve())
    except (OSError, ValueError, RuntimeError):
        return False


def read(path: Path) -> "Report | None":
    """Return a report; None where it is no whole one."""
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, OwfError):
        return None


@lru_cache(maxsize=SHOWN)
def _read(path: Path, changed: int) -> "Report":
    from ..core.verdict.report import read_report

    return read_report(path)


def changed_at(path: Path) -> float:
    """Return when a file was changed last; 0 where it is gone, as it may be between two looks at a folder."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def earlier() -> list[Earlier]:
    """Return the reports of earlier audits, the newest first; those that cannot be read are left out."""
    root = host.data_folder()
    files = [file for pattern in (f"reports/*/{FILE}", f"training/*/audit/*/{FILE}") for file in root.glob(pattern)]
    files = sorted(filter(is_ours, files), key=changed_at, reverse=True)[:SHOWN]
    found = ((file.parent.relative_to(root).as_posix(), read(file)) for file in files)
    return [Earlier(name, report) for name, report in found if report is not None]


def folder_of(name: str) -> Path | None:
    """Return the folder of an earlier report by its name; None where there is none."""
    path = host.data_folder() / name / FILE
    return path.parent if "\0" not in name and is_ours(path) else None
