"""What is in a LoRA file, in the terminal."""

from rich.console import Console
from rich.text import Text

from ...adapter.summary import Summary
from ..inspection import summary_heat_map, summary_lines
from .heat_table import print_heat_map

_MAX_WARNINGS = 12
_MAX_ROWS = 120
"""Warnings and blocks that are printed: all of a real network, and not what a hostile file makes up."""


def print_summary(summary: Summary, console: Console) -> None:
    """Print the summary of one file to a console that has markup off."""
    console.print(Text(summary.file, "bold"))
    for label, value in summary_lines(summary):
        if value:
            console.print(Text(f"  {label:<14}", "dim"), Text(value), sep="")
    print_heat_map(summary_heat_map(summary.blocks), console, _MAX_ROWS)
    for problem in summary.problems:
        console.print(Text(f"  x {problem}", "bold red"))
    for warning in summary.warnings[:_MAX_WARNINGS]:
        console.print(Text(f"  ! {warning}", "yellow"))
    if len(summary.warnings) > _MAX_WARNINGS:
        console.print(Text(f"  ! and {len(summary.warnings) - _MAX_WARNINGS} more warnings", "yellow"))
