"""What an output format is: the record at the end of its file, and the registry that finds it there. No torch."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ...errors import Setting, UsageError
from ...ledger.row import Row
from ...registry import records
from ...verdict.report import Report
from ..audited import Audited

Rows = Callable[[], Iterable[Row]]
"""Gives the rows of a ledger, anew at each call: there may be too many to keep."""


@dataclass(frozen=True)
class Format:
    """One kind of file that an audit leaves."""

    name: str
    """Name on command lines; that of its file, without an underscore at the end."""
    holds: str
    """What is in it, in plain words."""
    by_default: bool = False
    """Whether it is written unless something else is asked for."""
    write_one: Callable[[Report, Path], Path] | None = None
    """Report and its folder -> the file written there; None where the format has no file per report."""
    write_all: Callable[[Sequence[Audited], Path], Path] | None = None
    """LoRAs of a call and the output folder -> one file over all of them; None where the format has none."""
    write_run: Callable[[Rows, Path], Path | None] | None = None
    """Rows of a run's ledger and its folder -> one file over all of them, or None where these rows give nothing to say;
    None where the format has none."""
    run_file: str = ""
    """What `write_run` calls that file."""
    needs: str = ""
    """Package that it is written with, where that is not always there."""
    extra: str = ""
    """Extra of this package that brings it."""
    least: int = 1
    """LoRAs from which on one file over all of them says more than their own."""


@cache
def all_formats() -> tuple[Format, ...]:
    """Return every format, sorted by name."""
    return records(__name__, "FORMAT", Format)


def default_formats() -> tuple[str, ...]:
    """Return the names of the formats that are written unless something else is asked for."""
    return tuple(format_.name for format_ in all_formats() if format_.by_default)


def chosen_formats(names: Iterable[str]) -> tuple[Format, ...]:
    """Return the formats of these names; raise UsageError that lists the known ones, or says what one needs."""
    known = {format_.name: format_ for format_ in all_formats()}
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise UsageError(f"Unknown output format {name!r}; there are {', '.join(known)}.", Setting("write"))
        if not _can_be_written(known[name]):
            needed = Setting("install", f"'owf[{known[name].extra}]'")
            raise UsageError(f"The output format {name} is written with {known[name].needs}.", needed)
    return tuple(known[name] for name in wanted)


def _can_be_written(format_: Format) -> bool:
    return not format_.needs or find_spec(format_.needs) is not None


def publish(report: Report, folder: Path, names: Iterable[str]) -> tuple[Path, ...]:
    """Write a report into its folder in each of these formats; return the files."""
    return tuple(format_.write_one(report, folder) for format_ in chosen_formats(names) if format_.write_one)


def publish_all(audits: Sequence[Audited], out: Path, names: Iterable[str]) -> tuple[Path, ...]:
    """Write what these formats say about all LoRAs of a call; return the files."""
    return tuple(
        format_.write_all(audits, out)
        for format_ in chosen_formats(names)
        if format_.write_all is not None and len(audits) >= format_.least
    )


def publish_run(rows: Rows, out: Path, names: Iterable[str]) -> tuple[Path, ...]:
    """Write what these formats say about all rows of a run's ledger; return the files.

    So are those of earlier calls that lie there: what a build server reads must not go on saying what was.
    """
    chosen = set(chosen_formats(names))
    there = {f for f in all_formats() if f.run_file and (out / f.run_file).exists() and _can_be_written(f)}
    wanted = [f for f in all_formats() if f in chosen | there]
    written = (format_.write_run(rows, out) for format_ in wanted if format_.write_run is not None)
    return tuple(path for path in written if path is not None)
