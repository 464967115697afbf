"""The memory of a training before anything is loaded: its steps, and what the base draws before and after them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch

from ...errors import UsageError
from ...model.blueprint import Blueprint
from ...model.diffusion.batch import batching_for
from ...model.footprint import footprint, needed_for, part_weights
from ...model.memory import Keeping
from ..cost import rows_at_once, trained_bytes
from ..plan import TrainPlan
from ..train import require_kept
from .step import StepMemory

_FLOAT = 4
"""Bytes of a number of a change, which is in float32 whatever the base is in."""


@dataclass(frozen=True)
class Way:
    """How a training runs where memory is short."""

    keeping: Keeping
    """How the base is kept."""
    checkpointing: bool
    """Whether activations are computed anew in the backward pass."""

    def words(self) -> str:
        """Return it as people read it."""
        return f"checkpointing, {self.keeping.words()}" if self.checkpointing else self.keeping.words()


def is_allowed(plan: TrainPlan, way: Way) -> bool:
    """Return whether what a plan trains can be kept in a way."""
    try:
        require_kept(replace(plan, checkpointing=way.checkpointing), way.keeping)
    except UsageError:
        return False
    return True


@dataclass(frozen=True)
class TrainMemory:
    """What trainings of a plan take on a base whose weights are in a type."""

    base: Blueprint
    """What would be loaded."""
    plan: TrainPlan
    """How it is trained."""
    dtype: torch.dtype
    """Type of the base's weights."""
    step: StepMemory
    """A step of the plan, in that type."""

    @property
    def rows(self) -> tuple[int, int]:
        """Return the rows of student and teacher that go through the denoiser at once."""
        return rows_at_once(self.plan)

    def kept(self, way: Way) -> int:
        """Return the bytes of weights and of what is trained that are there in a step whatever it asks."""
        weights, name = part_weights(self.base, self.dtype, way.keeping), self.base.pipeline.denoiser
        there = weights[name] if way.keeping.offload == "model" else sum(weights.values())
        return there + trained_bytes(self.plan) * self.step.trained

    def in_step(self, way: Way) -> int:
        """Return the most bytes of tensors in a step: what is kept, and rows of student or teacher."""
        student, teacher = self.rows
        held = student * self.step.row(way.checkpointing)
        if any(term.weighs_changes for term in self.plan.terms):
            held += _FLOAT * self.step.changed
        asked = teacher * self.base.network.row_values() * self.dtype.itemsize
        return self.kept(way) + max(held, asked)

    def in_drawing(self, way: Way, device: str) -> int:
        """Return the most bytes of tensors while the base or what was trained draws on a kind of device."""
        batch = batching_for(self.base.latent_shape, device, takes_turns=way.keeping.takes_turns)
        peak = footprint(self.base, self.dtype, batch.size * batch.workers, way.keeping).peak
        return peak + trained_bytes(self.plan) * self.step.trained

    def needed(self, way: Way, device: str) -> int:
        """Return the bytes that a device is to have."""
        return needed_for(max(self.in_step(way), self.in_drawing(way, device)))


class TrainMemories:
    """What several trainings take on one base, which is only looked at: the most of all of them."""

    def __init__(self, make: Callable[[], Blueprint], plans: Iterable[TrainPlan]) -> None:
        """Take what makes the base's blueprint anew, and the plans as they are on that base; at least one."""
        self._make, self._plans = make, _fullest(plans)
        self._known: dict[int, tuple[TrainMemory, ...]] = {}

    def _of(self, dtype: torch.dtype) -> tuple[TrainMemory, ...]:
        """Return what each takes, counted once for a width of the type."""
        if dtype.itemsize not in self._known:
            self._known[dtype.itemsize] = tuple(train_memory(self._make, plan, dtype) for plan in self._plans)
        return self._known[dtype.itemsize]

    def fullest(self, dtype: torch.dtype) -> TrainMemory:
        """Return the one that has the most rows at once."""
        return max(self._of(dtype), key=lambda memory: memory.rows)

    def allow(self, way: Way) -> bool:
        """Return whether all of them can run in a way."""
        return all(is_allowed(plan, way) for plan in self._plans)

    def least(self, way: Way, dtype: torch.dtype) -> int:
        """Return the bytes without which none has to be counted: a device is to have more for any activations."""
        return max(needed_for(memory.kept(way)) for memory in self._of(dtype))

    def needed(self, way: Way, dtype: torch.dtype, device: str) -> int:
        """Return the bytes that a kind of device is to have for each of them."""
        return max(memory.needed(way, device) for memory in self._of(dtype))


def train_memory(make: Callable[[], Blueprint], plan: TrainPlan, dtype: torch.dtype) -> TrainMemory:
    """Return what a training takes; `make` returns a blueprint of its base anew."""
    return TrainMemory(make(), plan, dtype, StepMemory(make(), plan, dtype))


def _fullest(plans: Iterable[TrainPlan]) -> tuple[TrainPlan, ...]:
    """Return plans that take as much as all of these, one for each way in which something is trained."""
    groups: dict[tuple[object, ...], list[TrainPlan]] = {}
    for plan in plans:
        weighing = any(term.weighs_changes for term in plan.terms)
        how = (plan.method, plan.algorithm, plan.targets, plan.train_text_encoder, plan.resolution, weighing)
        groups.setdefault(how, []).append(plan)
    return tuple(
        replace(max(group, key=rows_at_once), rank=max(plan.rank for plan in group)) for group in groups.values()
    )
