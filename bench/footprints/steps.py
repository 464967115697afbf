"""What a training step takes: what is allocated on fake tensors, forward and backward, with the LoRA in its place."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from counted import PeakMemory
from owf.core.model.blueprint import Blueprint
from owf.core.model.diffusion.denoiser import Conditioning
from owf.core.model.footprint import GIB, needed_for, part_weights
from owf.core.model.memory import Keeping
from owf.core.train.cost import ADAM
from owf.core.train.methods.dreambooth_lora import DreamBoothLora
from owf.core.train.plan import TrainPlan
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from .loras import RANK

KIND = torch.bfloat16
"""Type of the base where training is counted."""
TRAINED = (
    (Keeping(), False),
    *((Keeping(way, kind), True) for kind in ("none", "int8", "nf4") for way in ("none", "model")),
)
"""Ways of keeping the base in a training, and whether activations are computed anew in the backward pass."""
STEP_ROWS = 2
"""Student's rows in a step of the default plan: one of the concept, one of drift correction."""


@dataclass(frozen=True)
class Step:
    """What a training step takes besides weights."""

    row: int
    """Bytes of activations of each row."""
    trained: int
    """Numbers that are trained."""

    def needed(self, base: Blueprint, keeping: Keeping) -> float:
        """Return the GiB that a card is to have for a training on a base that is kept in a way."""
        weights = part_weights(base, KIND, keeping)
        there = weights[base.pipeline.denoiser] if keeping.offload == "model" else sum(weights.values())
        return needed_for(there + ADAM * self.trained + STEP_ROWS * self.row) / GIB


def steps(make: Callable[[], Blueprint]) -> dict[bool, Step]:
    """Return what a step takes on a base without and with checkpointing; `make` returns a blueprint of it anew."""
    found, told = {}, make().told()
    for checkpointing in (False, True):
        # What weights take is the same in both: the difference is what one row does.
        (one, trained), (two, _) = (counted_step(make(), told, rows, checkpointing, fake()) for rows in (1, 2))
        found[checkpointing] = Step(two - one, trained)
    return found


def fake() -> FakeTensorMode:
    """Return a context in which tensors are shapes that take no memory."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def counted_step(
    base: Blueprint, told: Conditioning, rows: int, checkpointing: bool, mode: AbstractContextManager[Any]
) -> tuple[int, int]:
    """Return the peak of a step's allocations and the number of trained weights; the base is used up.

    `mode` is a context in which tensors are made: `fake()`, or none for real ones, which a small base can afford.
    """
    name = base.pipeline.denoiser
    model: Any = base.components[name].to(KIND).requires_grad_(False)
    if checkpointing:
        model.enable_gradient_checkpointing()
    model.train(checkpointing)
    plan = TrainPlan(class_word="x", rank=RANK, targets=base.pipeline.targets.usual)
    DreamBoothLora(SimpleNamespace(components={name: model}, device="meta", family=base.family.name), plan)
    with mode, norms_as_on_cuda():
        for module in model.modules():  # the library puts its layers beside weights of torch's own kinds alone
            for key, weight in module.named_parameters(recurse=False):
                zeros = torch.zeros(weight.shape, dtype=weight.dtype)
                module.register_parameter(key, nn.Parameter(zeros, weight.requires_grad))
        x, t = torch.zeros(rows, *base.latent_shape, dtype=KIND), torch.zeros(rows, dtype=torch.long)
        given = _rows_of(told, rows)
        with PeakMemory() as memory:
            with torch.autocast("cpu", KIND):
                prediction = base.network.forward_in_training(x, t, given)
            prediction.float().square().mean().backward()
    return memory.peak, sum(p.numel() for p in model.parameters() if p.requires_grad)


def _rows_of(told: Conditioning, rows: int) -> Conditioning:
    """Return so many rows of a conditioning as zeros; masks stay shapes alone, which leave nothing out."""
    context = torch.zeros(rows, *told.context.shape[1:], dtype=KIND)
    pooled = None if told.pooled is None else torch.zeros(rows, *told.pooled.shape[1:], dtype=KIND)
    mask: Any = None if told.mask is None else [told.mask[0]] * rows
    return Conditioning(context, pooled, mask)


@contextmanager
def norms_as_on_cuda() -> Iterator[None]:
    """Return a context in which norms are computed in float32, as autocast does on CUDA but not on the CPU."""

    def widened(norm: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def called(x: torch.Tensor, size: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> torch.Tensor:
            return norm(x.float(), size, *(None if part is None else part.float() for part in (weight, bias)), eps)

        return called

    plain = F.layer_norm, F.group_norm
    F.layer_norm, F.group_norm = map(widened, plain)
    try:
        yield
    finally:
        F.layer_norm, F.group_norm = plain
