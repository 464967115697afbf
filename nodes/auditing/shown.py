"""A report as inputs and outputs of nodes: its JSON opened, pictures, and what is to be said besides."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.disk.files import read_regular
from ...core.errors import UsageError
from ...core.text import file_stem
from ..backend import places
from .gate import blocker
from .run import AuditResult

if TYPE_CHECKING:
    from ...core.verdict.report import Report


def opened(text: str, source: str) -> "tuple[Report, Path]":
    """Return the report in JSON that `source` gave, and the folder that holds it, its page and its pictures.

    Both files are written anew, so that they are there. Raises UsageError for what is no report.
    """
    from ...core.disk.files import write_text
    from ...core.render.html.html import write_html
    from ...core.verdict.report import parse_report

    report = parse_report(text, source)
    folder = _home(report, text)
    write_text(folder / "report.json", text)
    write_html(report, folder)
    return report, folder


def _home(report: "Report", text: str) -> Path:
    """Return the folder that a report was loaded from, or a new one for a report from elsewhere."""
    content = text.encode(errors="replace")
    for name in places.report_choices():
        with suppress(OSError, UsageError):  # other reports are not this one's business
            if read_regular(places.report_file(name), len(content)) == content:
                return places.report_file(name).parent
    stem = file_stem(report.adapter.name, "report")
    folder = places.reports_folder() / f"{stem}-shown-{hashlib.sha256(content).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remembered(result: AuditResult) -> tuple[str, ...]:
    """Return the sentence that says that nothing was measured this time; none where it was."""
    if not result.remembered:
        return ()
    measured = str(result.report.timing.get("started", ""))[:16].replace("T", " ")
    return (f"Remembered from {measured}: the file, the base and the plan are the same, so nothing was measured.",)


def report_images(result: AuditResult) -> tuple[Any, Any, Any]:
    """Return the chart sheet, and the base's and the tuned model's images, most changed first."""
    from ..backend.images import from_pictures, read_pictures

    sheet = from_pictures([report_sheet(result.report)])
    pairs = result.report.pairs
    if not pairs:
        return sheet, blocker(), blocker()
    return (
        sheet,
        read_pictures(result.folder / pair.base for pair in pairs),
        read_pictures(result.folder / pair.tuned for pair in pairs),
    )


def report_sheet(report: "Report") -> Any:
    """Return the charts of a report as a picture."""
    from ...core.render.bars import bars
    from ...core.render.pictures.sheet import chart_sheet
    from ...core.verdict.part import shown_verdict
    from ..ui.panel import reasons

    title = f"{report.adapter.name} on {report.base.name}"
    badge = shown_verdict(report)
    return chart_sheet(title, badge, reasons(report), bars(report))
