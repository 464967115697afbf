"""A report as outputs of nodes: pictures, and what is to be said besides."""

from typing import TYPE_CHECKING, Any

from .gate import blocker
from .run import AuditResult

if TYPE_CHECKING:
    from ...core.verdict.report import Report


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
    from ..ui.panel import reasons

    title = f"{report.adapter.name} on {report.base.name}"
    return chart_sheet(title, report.verdict.decision, reasons(report), bars(report))
