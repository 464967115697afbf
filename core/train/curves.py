"""The course of a training on disk: a line of JSON for each step, and TensorBoard events."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ..disk.files import write_text
from .records import StepRecord

SMOOTHING = 0.95
"""Share of the past in the smoothed loss: a single step says little about where the loss stands."""


class Smoothed:
    """An exponential moving average that does not start at zero."""

    def __init__(self, decay: float = SMOOTHING) -> None:
        self._decay, self._sum, self._weight = decay, 0.0, 0.0

    def add(self, value: float) -> float:
        """Return the average with one more value."""
        self._sum = self._decay * self._sum + (1 - self._decay) * value
        self._weight = self._decay * self._weight + 1 - self._decay
        return self._sum / self._weight


class Curves:
    """Writes `<folder>/<name>.curves.jsonl` as the training goes.

    The first record says where the training continues: what an earlier run logged from that step on is dropped.
    Events for TensorBoard are written beside it, if `board` and the package is there.
    """

    def __init__(self, folder: Path, name: str, board: bool = True) -> None:
        self._path = folder / f"{name}.curves.jsonl"
        self._events = folder / f"{name}.tensorboard"
        self._file: TextIO | None = None
        self._wants_board = board
        self._board: Any = None

    def __enter__(self) -> "Curves":
        return self

    def __exit__(self, *exc: object) -> None:
        for opened in (self._file, self._board):
            if opened is not None:
                opened.close()

    def add(self, record: StepRecord) -> None:
        """Log one step."""
        if self._file is None:
            self._file = self._begin(record.step)
        self._file.write(_line(record))
        self._file.flush()
        if self._board is not None:
            for title, value in _scalars(record):
                self._board.add_scalar(title, value, record.step)

    def _begin(self, step: int) -> TextIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        kept = [record for record in read_curves(self._path) if record.step < step]
        write_text(self._path, "".join(map(_line, kept)))
        self._board = _tensorboard(self._events, step) if self._wants_board else None
        return self._path.open("a", encoding="utf-8")

    def records(self) -> "list[StepRecord]":
        """Return everything that is logged, by earlier runs too."""
        return list(read_curves(self._path))


def _line(record: StepRecord) -> str:
    return json.dumps(dataclasses.asdict(record)) + "\n"


def read_curves(path: Path) -> Iterator[StepRecord]:
    """Yield the steps that a log holds; a line that a kill cut off ends it."""
    if not path.is_file():
        return
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            yield StepRecord(**json.loads(line))
        except (ValueError, TypeError):
            return


def _tensorboard(folder: Path, step: int) -> Any:
    """Return a writer of TensorBoard events that hides older ones from `step` on; None without the package."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step)


def _scalars(record: StepRecord) -> Iterator[tuple[str, float]]:
    yield "loss/concept", record.loss
    yield "rate", record.rate
    for name, value in record.terms.items():
        yield f"loss/{name}", value
    for name, value in record.weights.items():
        yield f"weight/{name}", value
    if record.drift is not None:
        yield "drift", record.drift
    if record.gain is not None:
        yield "gain", record.gain
    if record.validation is not None:
        yield "loss/validation", record.validation
