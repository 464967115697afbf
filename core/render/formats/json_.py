"""JSON: the whole report, for programs and for judging it anew."""

from pathlib import Path

from ...verdict.report import Report, write_report
from .format import Format

NAME = "report.json"
"""File name of the report."""


def write_json(report: Report, folder: Path) -> Path:
    """Return the path of the report.json written into the report's folder."""
    write_report(report, folder / NAME)
    return folder / NAME


FORMAT = Format("json", "the whole report, for programs", by_default=True, write_one=write_json)
