"""`owf-audit inspect FILE...`: what LoRA files are, without a base model and without torch."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.adapter.find import find_loras
from ..core.adapter.reader import read_adapter
from ..core.adapter.summary import Summary, summarise
from ..core.errors import InvalidError, OwfError, UsageError
from ..core.render.inspection import summary_data
from ..core.text import inert
from .arguments.paths import user_path
from .command import guarded, print_failure, say_doubts, say_left_out
from .output.wording import worded


def main(argv: Sequence[str] | None = None) -> int:
    """Print what each file is and return the exit code: 0, or what an audit of the worst of them would end with.

    That is 4 where it could only be INVALID, and 2 for a path that leads to no LoRA.
    """
    options = parser().parse_args(argv)
    with guarded(lambda message, code: print_failure("owf-audit inspect", "", message, code)) as ending:
        results = [result for file in options.files for result in _inspect_all(file, options.allow_pickle)]
        if options.json:
            print(json.dumps([_plain(result) for result in results], indent=2, allow_nan=False))
        else:
            _show(results)
        ending.code = max(map(_exit_code, results))
    return ending.code


def _exit_code(result: "Summary | Refusal") -> int:
    if isinstance(result, Refusal):
        return result.exit_code
    return InvalidError.exit_code if result.problems else 0


@dataclass(frozen=True)
class Refusal:
    """A file that was not read."""

    file: str
    """File name, or the whole path where nothing was found, inert."""
    reason: str
    """Why not, inert."""
    exit_code: int
    """What the program exits with."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of `owf-audit inspect`."""
    top = argparse.ArgumentParser(
        prog="owf-audit inspect",
        description="Say what LoRA files are: format, algorithm, base family, rank, trigger words, hashes, warnings.",
        epilog="example: owf-audit inspect my_lora.safetensors",
    )
    top.add_argument(
        "files", nargs="+", type=user_path, metavar="LORA", help="LoRA files, PEFT folders, or folders of them"
    )
    top.add_argument("--json", action="store_true", help="print a JSON list instead of tables")
    top.add_argument("--allow-pickle", action="store_true", help="also read .pt, .ckpt and .bin files")
    return top


def _inspect_all(path: Path, allow_pickle: bool) -> list[Summary | Refusal]:
    """Return what each LoRA at a path is; a path without any is a usage error, as for an audit."""
    try:
        found = find_loras(path)
    except OwfError as error:
        reason = worded(error).removeprefix(f"{path}: ")  # the path stands before it
        return [Refusal(inert(str(path), 200), inert(reason, 500), error.exit_code)]
    say_left_out("owf-audit inspect", found.left_out, path)
    say_doubts("owf-audit inspect", found.doubts)
    if not found.paths:
        return [Refusal(inert(str(path), 200), "the folder holds no LoRA", UsageError.exit_code)]
    return [_inspect(file, allow_pickle) for file in found.paths]


def _inspect(file: Path, allow_pickle: bool) -> Summary | Refusal:
    try:
        return summarise(read_adapter(file, allow_pickle=allow_pickle))
    except OwfError as error:
        return Refusal(inert(file.name), inert(worded(error), 500), error.exit_code)
    except OSError as error:
        return Refusal(inert(file.name[:200]), f"cannot be opened: {error.strerror}", InvalidError.exit_code)


def _plain(result: Summary | Refusal) -> dict[str, object]:
    return {"file": result.file, "error": result.reason} if isinstance(result, Refusal) else summary_data(result)


def _show(results: Sequence[Summary | Refusal]) -> None:
    from rich.console import Console

    from ..core.render.terminal.inspection import print_summary

    console = Console(highlight=False, markup=False, emoji=False)
    for result in results:
        if isinstance(result, Refusal):
            console.print(f"{result.file}: refused: {result.reason}", style="bold red")
        else:
            print_summary(result, console)
