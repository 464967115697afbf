"""One self-contained HTML file per report: it opens offline and asks the network for nothing."""

from pathlib import Path

from ...disk.files import write_text
from ...verdict.report import Report
from .page import render_page
from .view import view

NAME = "report.html"
"""File name of the HTML report."""


def write_html(report: Report, folder: Path) -> Path:
    """Return the path of the report.html written into the report's folder, images and all."""
    path = Path(folder) / NAME
    write_text(path, render_html(report, Path(folder)))
    return path


def render_html(report: Report, folder: Path) -> str:
    """Return the report as one HTML page; the images of its pairs are read from `folder`."""
    return render_page("report.html.j2", view(report, folder), ("report.css",), ("table_sort.js", "report.js"))
