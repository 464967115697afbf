"""What an output format is: the record at the end of its file, and the registry that finds it there. No torch."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...errors import Setting, UsageError
from ...registry import records
from ...verdict.report import Report
from ..audited import Audited


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
    """Return the formats of these names; raise UsageError that lists the known ones."""
    known = {format_.name: format_ for format_ in all_formats()}
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise UsageError(f"Unknown output format {name!r}; there are {', '.join(known)}.", Setting("write"))
    return tuple(known[name] for name in wanted)


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
