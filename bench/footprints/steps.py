"""What a training step takes: activations as the package counts them, of the plan that nobody chose, in 16 bits."""

from collections.abc import Callable

import torch
from owf.core.model.blueprint import Blueprint
from owf.core.model.footprint import GIB, needed_for
from owf.core.model.memory import Keeping
from owf.core.train.forecast.memory import TrainMemory, Way, train_memory
from owf.core.train.plan import TrainPlan

from .loras import RANK

KIND = torch.bfloat16
"""Type of the base where training is counted."""
TRAINED = (
    Way(Keeping(), False),
    *(Way(Keeping(way, kind), True) for kind in ("none", "int8", "nf4") for way in ("none", "model")),
)
"""Ways in which a training runs, from the fastest to the leanest."""


def plan_on(base: Blueprint) -> TrainPlan:
    """Return the plan: a row of the concept and one of drift correction, on the layers that are usually trained."""
    return TrainPlan(class_word="x", rank=RANK, targets=base.pipeline.targets.usual)


def step_on(make: Callable[[], Blueprint]) -> TrainMemory:
    """Return what its training takes on a base; `make` returns a blueprint of it anew."""
    return train_memory(make, plan_on(make()), KIND)


def needed(memory: TrainMemory, way: Way) -> float:
    """Return the GiB that a card is to have for a step."""
    return needed_for(memory.in_step(way)) / GIB
