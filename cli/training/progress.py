"""Progress of a training: a bar with loss, drift and weight, or a JSON line for a step."""

import dataclasses
import time
from typing import Any

from ...core.text import percent
from ...core.train.curves import Smoothed
from ...core.train.records import StepRecord
from ..output.events import TrainingStep, emit
from ..output.progress import Bar, JsonLines, Quiet, progress_kind


def train_progress(option: str, console: Any, steps: int) -> "StepBar | StepLines | QuietSteps":
    """Return the progress that the option asks for; it is also told of every step."""
    kind = progress_kind(option)
    if kind == "bar":
        return StepBar(console, steps)
    return StepLines(steps) if kind == "json" else QuietSteps()


class StepBar(Bar):
    """A bar whose description is the newest step."""

    def __init__(self, console: Any, steps: int) -> None:
        super().__init__(console)
        self._steps, self._loss, self._drift, self._gain = steps, Smoothed(), "", ""

    def step(self, record: StepRecord) -> None:
        """Describe the step."""
        if record.drift is not None:
            self._drift = f"  drift {percent(record.drift)}"
        if record.gain is not None:
            self._gain = f"  gain {percent(record.gain, 0)}"
        weight = f"  dc {record.weights['dc']:.3g}" if "dc" in record.weights else ""
        loss = self._loss.add(record.loss)
        self.stage(f"{record.step}/{self._steps}  loss {loss:.3f}{self._drift}{self._gain}{weight}")


class StepLines(JsonLines):
    """A JSON line for a step, at most four a second, and for every measurement."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps, self._loss, self._first = steps, Smoothed(), (0, 0.0)

    def advance(self, rows: int) -> None:
        """Count the rows; while it trains, steps are written instead."""
        if self._first[0]:
            self._done += rows
        else:
            super().advance(rows)

    def step(self, record: StepRecord) -> None:
        """Write the step if it was measured, is the last, or if a line is due."""
        self._first = self._first if self._first[0] else (record.step, time.monotonic())
        smoothed = self._loss.add(record.loss)
        measured = not (record.drift is None and record.validation is None and record.gain is None)
        if measured or record.step == self._steps or self.due():
            self._last = time.monotonic()
            emit(
                TrainingStep(
                    stage=self._title,
                    rows=self._done,
                    total=self._total,
                    eta_seconds=self._rest(record.step),
                    steps=self._steps,
                    smoothed_loss=smoothed,
                    **dataclasses.asdict(record),
                )
            )

    def _rest(self, step: int) -> float | None:
        """Return the seconds that the steps left take; rows of the base's drawings, before them, are faster."""
        first, start = self._first
        return (time.monotonic() - start) / (step - first) * (self._steps - step) if step > first else None


class QuietSteps(Quiet):
    """No progress at all."""

    def step(self, record: StepRecord) -> None:
        """Ignore it."""
