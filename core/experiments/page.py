"""A page of experiments: each has a block that a command writes, and no other hand. No torch."""

from collections.abc import Sequence
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
    is_there = has_block(page, command, block)
    lines = [*findings.lines, *_drawn(findings, page, block)]
    if is_there:
        fill_block(page, command, block, lines)
    else:
        head = f"{_read(page).rstrip()}\n\n## {experiment.title}\n\n{experiment.question}\n\n"
        write_text(page, f"{head}{_between(_marks(command, block), lines)}\n")


def has_block(page: Path, command: str, block: str) -> bool:
    """Return whether a page has a block; raise UsageError where its marks are not a pair."""
    text, (start, end) = _read(page), _marks(command, block)
    if (start in text) != (end in text) or text.count(start) > 1 or text.find(end) < text.find(start):
        raise UsageError(f"{page} has not one block between {start!r} and {end!r}: mend it, or name another page.")
    return start in text


def fill_block(page: Path, command: str, block: str, lines: Sequence[str]) -> None:
    """Put lines into a block of a page; raise UsageError where the page has it not."""
    marks = _marks(command, block)
    if not has_block(page, command, block):
        raise UsageError(f"{page} has no block between {marks[0]!r} and {marks[1]!r}.")
    text = _read(page)
    write_text(page, text.split(marks[0])[0] + _between(marks, lines) + text.split(marks[1])[1])


def _marks(command: str, block: str) -> tuple[str, str]:
    start, end = (mark.format(block, command) for mark in _MARKS)
    return start, end


def _between(marks: tuple[str, str], lines: Sequence[str]) -> str:
    return "\n".join([marks[0], "", *lines, "", marks[1]])


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
