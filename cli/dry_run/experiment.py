"""What the dry run of an experiment says of time and memory: its trainings and audits run on one base."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch

from ...core.experiments.lab.foresee import Foreseen
from ...core.model.blueprint import Blueprint
from ...core.train.cost import BACKWARD
from ...core.train.forecast.memory import TrainMemories, Way
from ...core.train.plan import TrainPlan
from .machine import CLOSING
from .training import TrainingsAhead
from .training import lines as of_machines


@dataclass(frozen=True)
class Running:
    """How the experiment would run, by the options."""

    base: Blueprint
    """What would be loaded."""
    make: Callable[[], Blueprint]
    """Makes its blueprint anew."""
    way: Way
    """How trainings run, and the base is kept."""
    device: torch.device
    """Where, on this machine."""
    dtype: torch.dtype
    """Type of the weights there."""
    dtype_on_cards: torch.dtype
    """Type of the weights on a GPU."""


def lines(found: Foreseen, plans: Iterable[TrainPlan], running: Running) -> Iterator[str]:
    """Yield the lines that follow what is trained and audited."""
    base, memories = running.base, TrainMemories(running.make, plans)

    yield (
        f"All in all {found.rows:,} rows without gradients or their like (one with gradients is three), "
        f"{base.row_operations / 1e12:.3g} TFLOP each; less where an earlier run left something."
    )
    yield from of_machines(
        TrainingsAhead(
            base,
            memories,
            running.way,
            running.device,
            running.dtype,
            running.dtype_on_cards,
            trained=lambda checkpointing: (BACKWARD + checkpointing) * found.gradients,
            others=found.rows - BACKWARD * found.gradients,
            audits=True,
            audits_must_fit=True,
        )
    )
    yield CLOSING
