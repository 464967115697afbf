"""The most changed pair of a report as one small picture, for tables of thousands and for model managers. No torch."""

import io
from pathlib import Path

from ..disk.files import read_regular
from ..verdict.report import Report

SIDE = 48
"""Pixels of each of the two pictures: lines of a table are about as high."""
_QUALITY = 70
"""Of the JPEG: some 2 kB a pair, so that 10,000 are 20 MB."""
_MOST = 2**25
"""Bytes of a picture that are read: those of 2048 pixels have ten millions."""


def thumbnail(report: Report, folder: Path) -> bytes:
    """Return the most changed pair as a JPEG, the base's picture on the left; empty where there is none to see."""
    return pair_picture(report, folder, SIDE, "JPEG")


def pair_picture(report: Report, folder: Path, side: int, kind: str) -> bytes:
    """Return the most changed pair as a file of a kind, each picture `side` pixels; empty where there is none to see.

    The base's picture is on the left. Paths in a report that lead out of its folder are not followed.
    """
    from PIL import Image

    if not report.pairs:
        return b""
    both = Image.new("RGB", (2 * side, side))
    for place, name in enumerate((report.pairs[0].base, report.pairs[0].tuned)):
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            return b""
        try:
            with Image.open(io.BytesIO(read_regular(path, _MOST)), formats=("PNG",)) as picture:
                both.paste(picture.convert("RGB").resize((side, side)), (place * side, 0))
        except (OSError, ValueError, Image.DecompressionBombError):  # a picture that is gone leaves the row as it is
            return b""
    content = io.BytesIO()
    both.save(content, kind, quality=_QUALITY)
    return content.getvalue()
