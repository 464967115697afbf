"""A page of experiments: each has a block that a command writes, and no other hand. No torch."""

from pathlib import Path

from ..disk.files import read_regular, write_text
from ..errors import UsageError
from .experiment import Experiment, Findings

_MARKS = "<!-- {}: written by {} -->", "<!-- end of {} -->"
_HEAD = """# Experiments

Every block below is written by the command that it names, on the base and the concepts that it names.
"""
_MOST = 1 << 24
"""Bytes of a page that are read."""


def write_block(page: Path, command: str, block: str, experiment: Experiment, findings: Findings) -> None:
    """Put findings into a block of a page, which is made where it has none; its figure lies beside it.

    `block` is the experiment's name, with what tells several of its blocks apart; `command` is what writes it. Raises
    UsageError for a page whose marks are not a pair.
    """
    text = _read(page)
    start, end = (mark.format(block, command) for mark in _MARKS)
    if (start in text) != (end in text) or text.count(start) > 1 or text.find(end) < text.find(start):
        raise UsageError(f"{page} has not one block between {start!r} and {end!r}: mend it, or name another page.")
    inside = "\n".join([start, "", *findings.lines, *_drawn(findings, page, block), "", end])
    if start in text:
        before, after = text.split(start)[0], text.split(end)[1]
        write_text(page, before + inside + after)
    else:
        write_text(page, f"{text.rstrip()}\n\n## {experiment.title}\n\n{experiment.question}\n\n{inside}\n")


def _drawn(findings: Findings, page: Path, block: str) -> list[str]:
    """Return the lines that show the figure, which lies beside the page then; none where there is nothing to draw."""
    figure = findings.figure
    if figure is None or not figure.has_points:
        return []
    picture = page.with_name(f"experiment-{block}.png")
    figure.draw().save(picture, optimize=True)
    return ["", f"![{figure.title}]({picture.name})"]


def _read(page: Path) -> str:
    if not page.exists():
        return _HEAD
    try:
        return read_regular(page, _MOST).decode()
    except (OSError, ValueError) as error:
        raise UsageError(f"{page} cannot be read: {error}.") from error
