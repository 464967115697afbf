"""One page of a report as a picture, for a model's page."""

import io
from pathlib import Path

from ...disk.files import write_bytes
from ...verdict.report import Report
from ..html.images import picture_in
from ..pictures.summary_sheet import summary_sheet
from ..summary import summary_of
from .format import Format

NAME = "summary.png"
"""File name of the picture."""


def write_picture(report: Report, folder: Path) -> Path:
    """Return the path of the picture written into the report's folder, with those of its pairs that lie there."""
    summary = summary_of(report)
    found = [
        (picture_in(folder / pair.base, folder), picture_in(folder / pair.tuned, folder)) for pair in summary.pairs
    ]
    buffer = io.BytesIO()
    # Where one is missing, all are left out: a pair under another's prompt would be worse.
    pictures = [(base, tuned) for base, tuned in found if base is not None and tuned is not None]
    summary_sheet(summary, pictures if len(pictures) == len(found) else ()).save(buffer, "PNG", optimize=True)
    path = Path(folder) / NAME
    write_bytes(path, buffer.getvalue())
    return path


FORMAT = Format("picture", "one page as a picture, for a model's page", by_default=True, write_one=write_picture)
