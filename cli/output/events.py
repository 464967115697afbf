"""What `--progress json` writes: one record a line, for programs. `cli/events.schema.json` describes them and ships."""

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rows:
    """How far a run is: a stage began, rows were computed, or the run ends."""

    event: str
    """"stage", "progress" or "end"."""
    stage: str
    """What is being done."""
    rows: int
    """UNet rows and compared images that are done."""
    total: int
    """Those of the whole run, as far as it is known."""
    eta_seconds: float | None
    """Seconds until the end at the speed so far; None while nothing was computed."""


@dataclass(frozen=True, kw_only=True)
class TrainingStep(Rows):
    """One step of a training; see `core.train.records.StepRecord`. `eta_seconds` is of the steps that are left."""

    event: str = "step"
    step: int
    steps: int
    """Steps of the whole training."""
    loss: float
    smoothed_loss: float
    """Moving average of the loss."""
    terms: Mapping[str, float]
    weights: Mapping[str, float]
    rate: float
    drift: float | None
    validation: float | None
    gain: float | None


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A report was written: the last line of an audit of one LoRA, and the one before the last of a training."""

    event: str = "report"
    verdict: str
    folder: str
    """Where the report lies."""
    pages: list[str]
    """What the output formats wrote, there and beside it."""
    exit_code: int
    """Exit code that this verdict has."""
    outcome: str = ""
    """Of a training: what it learned and the verdict, such as "NOT LEARNED, PASS"."""
    summary: str = ""
    """Of a training, such as "learned 83 % (76 to 90), kept 98 %"."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One LoRA of several."""

    event: str = "verdict"
    lora: str
    """Name that tells it from the others."""
    verdict: str
    folder: str | None
    """Where its report lies; None where it has none."""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All LoRAs of a call."""

    event: str = "overview"
    verdict: str
    """The one that matters most."""
    pages: list[str]
    """Files over all of them."""


@dataclass(frozen=True, kw_only=True)
class TrainingStopped:
    """A training ended, or was interrupted and can be continued."""

    event: str
    """"trained" or "interrupted"."""
    path: str
    """The LoRA, or the checkpoint's name."""
    embedding: str | None
    """The trigger's embedding, where there is one."""
    steps: int
    """Steps done."""
    drift: float | None
    """Denoiser drift on held-out prompts, where it is watched."""
    learned: str | None
    """LEARNED, NOT LEARNED or NOT SHOWN; None where it was not measured."""
    exit_code: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The run ends here, without what it was to give."""

    event: str = "error"
    message: str
    exit_code: int


Event = Rows | TrainingStep | Reported | Judged | Overview | TrainingStopped | Failure
"""Any of them."""


def emit(event: Event) -> None:
    """Write an event as a line of JSON to stdout."""
    sys.stdout.write(json.dumps(dataclasses.asdict(event)) + "\n")
    sys.stdout.flush()
