"""`owf-audit inspect FILE...`: what LoRA files are, without a base model and without torch."""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.adapter.kinds import KINDS
from ..core.adapter.reader import read_adapter
from ..core.adapter.summary import Cell, Summary, summarise
from ..core.errors import OwfError
from ..core.render.heat_map import HeatMap, Spot, heat_map
from ..core.text import inert

if TYPE_CHECKING:
    from rich.console import Console

_MAX_WARNINGS = 12
_MAX_ROWS = 120


def main(argv: Sequence[str] | None = None) -> int:
    """Print what each file is and return the exit code: 0, or 4 when a file was refused."""
    options = _parser().parse_args(argv)
    results = [_inspect(Path(file), options.allow_pickle) for file in options.files]
    if options.json:
        print(json.dumps([_plain(result) for result in results], indent=2, allow_nan=False))
    else:
        _show(results)
    return max(result.exit_code if isinstance(result, Refusal) else 0 for result in results)


@dataclass(frozen=True)
class Refusal:
    """A file that was not read."""

    file: str
    """File name, inert."""
    reason: str
    """Why not, inert."""
    exit_code: int
    """What the program exits with."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="owf-audit inspect",
        description="Say what LoRA files are: format, algorithm, base family, rank, trigger words, hashes, warnings.",
        epilog="example: owf-audit inspect my_lora.safetensors",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help=".safetensors file or PEFT folder")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of tables")
    parser.add_argument("--allow-pickle", action="store_true", help="also read .pt, .ckpt and .bin files")
    return parser


def _inspect(file: Path, allow_pickle: bool) -> Summary | Refusal:
    try:
        return summarise(read_adapter(file, allow_pickle=allow_pickle))
    except OwfError as error:
        return Refusal(inert(file.name), inert(str(error), 500), error.exit_code)


def _plain(result: Summary | Refusal) -> dict[str, object]:
    if isinstance(result, Refusal):
        return {"file": result.file, "error": result.reason}
    plain = asdict(result)
    plain["blocks"] = [
        {
            "component": cell.block.component,
            "block": cell.block.title,
            "kind": cell.kind,
            "modules": cell.modules,
            "size": cell.size if math.isfinite(cell.size) else None,
        }
        for cell in result.blocks
    ]
    return plain


def _show(results: Sequence[Summary | Refusal]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    for result in results:
        if isinstance(result, Refusal):
            console.print(f"{result.file}: refused: {result.reason}", style="bold red")
        else:
            show_summary(result, console)


def show_summary(summary: Summary, console: "Console") -> None:
    """Print the summary of one file to a rich console that has markup off."""
    from rich.text import Text

    from ..core.render.heat_table import print_heat_map

    console.print(Text(summary.file, "bold"))
    for label, value in _lines(summary):
        if value:
            console.print(Text(f"  {label:<14}", "dim"), Text(value), sep="")
    print_heat_map(_heat_map(summary.blocks), console, _MAX_ROWS)
    for warning in summary.warnings[:_MAX_WARNINGS]:
        console.print(Text(f"  ! {warning}", "yellow"))
    if len(summary.warnings) > _MAX_WARNINGS:
        console.print(Text(f"  ! and {len(summary.warnings) - _MAX_WARNINGS} more warnings", "yellow"))


def _lines(summary: Summary) -> list[tuple[str, str]]:
    parts = ", ".join(f"{name} {count}" for name, count in summary.modules.items())
    size = f"{summary.resolution[0]} x {summary.resolution[1]} px" if summary.resolution else ""
    hashes = ", ".join(f"{name} {value}" for name, value in summary.hashes.items() if value)
    return [
        ("format", summary.format),
        ("algorithm", ", ".join(summary.algorithms)),
        ("family", summary.family or "unknown"),
        ("prediction", summary.prediction_type or ""),
        ("modules", parts),
        ("coverage", summary.coverage),
        ("rank / alpha", f"{_range(summary.ranks)} / {_range(summary.alphas)}"),
        ("weights", ", ".join(summary.dtypes)),
        ("trigger words", ", ".join(summary.trigger_words)),
        ("resolution", size),
        ("trained on", summary.training.get("base_model", "")),
        ("steps", summary.training.get("steps", "")),
        ("sha256", summary.sha256),
        ("hashes", hashes),
    ]


def _range(values: Sequence[float]) -> str:
    if not values:
        return "none"
    if len(values) <= 4:
        return ", ".join(f"{value:g}" for value in values)
    return f"{values[0]:g} to {values[-1]:g} ({len(values)} values)"


def _heat_map(cells: Sequence[Cell]) -> HeatMap:
    """Return blocks of the network by kinds of layer, shaded by the estimated size of the change."""
    spots = [Spot(cell.block.component, cell.block.title, cell.kind, cell.size) for cell in cells]
    return heat_map(spots, KINDS, "{:.2g}".format)
