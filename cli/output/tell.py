"""What comes of an audit: reports on the terminal, or lines of JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.render.audited import Audited
from ...core.render.terminal.overview import print_overview
from ...core.render.terminal.terminal import print_report
from ...core.text import inert
from ...core.verdict.outcome import outcome, summary
from ...core.verdict.verdict import worst
from .events import Judged, Overview, Reported, emit
from .wording import option

if TYPE_CHECKING:
    from ...core.audit.session import Published


def tell_report(published: "Published", files: Sequence[Path], console: Any, progress: str) -> None:
    """Print a report and the files that it was written to; a JSON line for "json"."""
    if progress != "json":
        print_report(published.report, console, option, published.folder, files)
        return
    report = published.report
    emit(
        Reported(
            verdict=report.verdict.decision,
            folder=str(published.folder),
            pages=[str(file) for file in files],
            exit_code=report.verdict.exit_code,
            outcome="" if report.learning is None else outcome(report),
            summary=summary(report),
        )
    )


def tell_overview(audits: Sequence[Audited], pages: Sequence[Path], console: Any, progress: str) -> None:
    """Print a line for each LoRA and the files over all; JSON lines for "json"."""
    if progress != "json":
        print_overview(audits, pages, console, option)
        return
    for audit in audits:
        folder = None if audit.folder is None else str(audit.folder)
        emit(Judged(lora=inert(audit.name), verdict=audit.decision, folder=folder))
    emit(Overview(verdict=worst(audit.decision for audit in audits), pages=[str(page) for page in pages]))
