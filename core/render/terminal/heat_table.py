"""A heat map in the terminal: shaded blocks beside their numbers, so that colour never carries it alone."""

from typing import TYPE_CHECKING

from ..heat_map import NOT_FINITE, Cell, HeatMap, strongest
from .console_text import console_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_SHADES = (("   ", "dim"), ("░░░", "blue"), ("▒▒▒", "cyan"), ("▓▓▓", "yellow"), ("███", "red"))
_WIDE = 80
"""Columns of a terminal from which headings stand on one line."""
_NO_NUMBER = "bold red"


def print_heat_map(whole: HeatMap, console: "Console", most: int) -> None:
    """Print at most `most` blocks by kinds of layer: those with the largest changes."""
    console.print(_table(strongest(whole, most), console))
    if len(whole.rows) > most:
        console.print(console_text(console, f"and {len(whole.rows) - most} more blocks that change less", "dim"))


def _table(shown: HeatMap, console: "Console") -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("", style="dim", overflow="fold")
    for kind in shown.kinds:
        table.add_column(_heading(kind, console), overflow="crop")
    width = max((len(cell.text) for row in shown.rows for cell in row.cells if cell), default=0)
    for row in shown.rows:
        cells = (_shaded(cell, width, console) for cell in row.cells)
        table.add_row(console_text(console, row.title, limit=40), *cells)
    return table


def _heading(kind: str, console: "Console") -> "Text":
    from rich.text import Text

    parts = [kind] if console.width >= _WIDE else kind.split("-")
    return Text("-\n").join(console_text(console, part, limit=20) for part in parts)


def _shaded(cell: Cell | None, width: int, console: "Console") -> "Text":
    if cell is None:
        return console_text(console, "")
    shade, style = ("", _NO_NUMBER) if cell.level == NOT_FINITE else _SHADES[cell.level]
    return console_text(console, f"{shade:3} {cell.text:>{width}}", style)
