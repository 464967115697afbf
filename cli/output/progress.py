"""Progress for people (a bar with an ETA) and for hosts (JSON lines on stdout)."""

import sys
import time
from typing import Any

from ...core.progress import Progress
from .events import Rows, emit


def progress_kind(option: str) -> str:
    """Return "bar", "json" or "none" for the option; "auto" draws a bar where there is a terminal."""
    if option != "auto":
        return option
    return "bar" if sys.stderr.isatty() or sys.stdout.isatty() else "none"


class Bar(Progress):
    """A rich progress bar on the terminal; UNet rows are the unit of its ETA."""

    def __init__(self, console: Any) -> None:
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("{task.description:<34}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("ETA"),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            speed_estimate_period=120,
        )
        self._task = self._bar.add_task("Starting", total=None)
        self._total = 0
        self._title = "Starting"

    def __enter__(self) -> "Bar":
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def total(self, rows: int) -> None:
        """Set the length of the bar."""
        self._total = rows
        self._bar.update(self._task, total=rows)

    def stage(self, title: str) -> None:
        """Show what is being done now."""
        self._title = title
        self._bar.update(self._task, description=title)

    def part(self, done: int, total: int | None) -> None:
        """Show how far the stage is, behind its title."""
        self._bar.update(self._task, description=_with_part(self._title, done, total))

    def advance(self, rows: int) -> None:
        """Move the bar."""
        self._bar.advance(self._task, rows)

    def skip(self, rows: int) -> None:
        """Shorten the bar."""
        self._total -= rows
        self._bar.update(self._task, total=self._total)


def _with_part(title: str, done: int, total: int | None) -> str:
    return f"{title} {done / total:.0%}" if total else title


class JsonLines(Progress):
    """One JSON object a line on stdout, at most a few a second; for hosts that run the audit as a child."""

    def __init__(self) -> None:
        self._total = self._done = 0
        self._title, self._start, self._last = "", time.monotonic(), 0.0

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *exc: object) -> None:
        self.write("end")

    def total(self, rows: int) -> None:
        """Learn the total."""
        self._total = rows

    def stage(self, title: str) -> None:
        """Write that a stage began."""
        self._title = title
        if not self._done:  # reading what is cached says nothing about how long computing takes
            self._start = time.monotonic()
        self.write("stage")

    def advance(self, rows: int) -> None:
        """Write the progress if the last line is older than a quarter of a second."""
        self._done += rows
        if self.due():
            self.write("progress")

    def skip(self, rows: int) -> None:
        """Shorten the total."""
        self._total -= rows

    def part(self, done: int, total: int | None) -> None:
        """Write how far the stage is, behind its title, if the last line is older than a quarter of a second."""
        if self.due():
            self.write("progress", _with_part(self._title, done, total))

    def due(self) -> bool:
        """Return whether the last line is older than a quarter of a second."""
        return time.monotonic() - self._last > 0.25

    def write(self, event: str, stage: str = "") -> None:
        """Write a line with how far the run is; `stage` stands in for the stage's title."""
        self._last = time.monotonic()
        elapsed = self._last - self._start
        eta = elapsed * (self._total - self._done) / self._done if self._done else None
        emit(Rows(event=event, stage=stage or self._title, rows=self._done, total=self._total, eta_seconds=eta))


class Quiet(Progress):
    """No progress at all."""

    def __enter__(self) -> "Quiet":
        return self

    def __exit__(self, *exc: object) -> None:
        pass


def progress_on(console: Any, kind: str) -> Any:
    """Return the progress that an option asks for, as a context."""
    return {"bar": lambda: Bar(console), "json": JsonLines, "none": Quiet}[progress_kind(kind)]()
