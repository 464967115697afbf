"""One page of a report as Markdown, for a model's page: what is beside the picture of it."""

import re
import string
from pathlib import Path

from ...disk.files import write_text
from ...verdict.report import Report
from ..summary import Line, Summary, summary_of
from .format import Format
from .picture import NAME as PICTURE

NAME = "summary.md"
"""File name of the snippet."""

# Those four begin nothing anywhere.
_ESCAPED = str.maketrans({sign: f"\\{sign}" for sign in string.punctuation if sign not in ",;'%"})
"""CommonMark takes a backslash before any punctuation: what strangers wrote is then neither link, picture nor HTML."""
_BARE = re.compile(r"@|:(?=//)|www(?=\.)", re.IGNORECASE)
"""What GitHub and others look for in text whose backslashes are gone: addresses, which they link, and names of people,
whom they tell."""
_BREAK = "<!-- -->"
"""Is not shown, and ends the text in which they look."""


def write_markdown(report: Report, folder: Path) -> Path:
    """Return the path of the snippet written into the report's folder."""
    path = Path(folder) / NAME
    write_text(path, render_markdown(summary_of(report)))
    return path


def render_markdown(summary: Summary) -> str:
    """Return the summary as Markdown of GitHub's and Hugging Face's kind; all its text is escaped."""
    blocks = [
        f"## What it made the model forget: {_text(summary.outcome)}",
        f"**{_text(summary.lora)}** on **{_text(summary.base)}**",
        *(_text(sentence) for sentence in summary.sentences),
        f"![Summary of the audit]({PICTURE})",
        _table(summary.numbers),
        "\n".join(f"* {_text(point)}" for point in summary.points),
        "\n".join(_pair(pair.prompt, pair.change) for pair in summary.pairs),
        f"Audited with OWF: {_text(summary.footer)}\\. The whole report is in `report.json`.",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _text(text: str) -> str:
    escaped = (part.translate(_ESCAPED) for part in _BARE.split(text))
    found = (mark.translate(_ESCAPED) + _BREAK for mark in _BARE.findall(text))
    return "".join(part for pair in zip(escaped, [*found, ""], strict=True) for part in pair)


def _table(lines: tuple[Line, ...]) -> str:
    if not lines:
        return ""
    rows = ["| | value | 95 % interval | limit | |", "|---|---|---|---|---|"]
    for line in lines:
        cells = (line.title, line.value, line.interval, line.limit, line.decision)
        rows.append(f"| {' | '.join(_text(cell) for cell in cells)} |")
    return "\n".join(rows)


def _pair(prompt: str, change: float) -> str:
    return f"* changed by {change:.1f} ΔE: {_text(prompt)}"


FORMAT = Format("markdown", "the same as Markdown", by_default=True, write_one=write_markdown)
