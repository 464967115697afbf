"""One self-contained HTML page over all LoRAs of a call: side by side while they are few, else a sortable table."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ....disk.files import write_text
from ...audited import Audited
from ..page import render_page
from .overview_view import overview


def write_overview(audits: Sequence[Audited], out: Path) -> Path:
    """Return the path of the page written into the folder that holds the reports."""
    path = Path(out) / overview_name(audits)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, render_overview(audits, Path(out)))
    return path


def overview_name(audits: Sequence[Audited]) -> str:
    """Return the page's file name: the same for the same audits, another for others.

    A report's folder is named by LoRA, base, plan and policy, so only a call that repeats an overview replaces it.
    """
    names = sorted(audit.folder.name if audit.folder else f"without a report: {audit.name}" for audit in audits)
    return f"overview-{hashlib.sha256('|'.join(names).encode('utf-8', 'replace')).hexdigest()[:8]}.html"


def render_overview(audits: Sequence[Audited], out: Path) -> str:
    """Return the page; links lead to reports below `out`, and images are read from there."""
    styles, scripts = ("report.css", "overview.css"), ("table_sort.js", "overview.js")
    return render_page("overview.html.j2", overview(audits, out), styles, scripts)
