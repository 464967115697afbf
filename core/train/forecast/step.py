"""What activations of a training step take: allocations counted on fake tensors, forward and backward."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ...model.blueprint import Blueprint
from ...model.diffusion.denoiser import Conditioning, Token, TrainableDenoiser
from ..methods.method import attach
from ..plan import TrainPlan
from .peak_memory import PeakMemory


def fake() -> FakeTensorMode:
    """Return a context in which tensors are shapes that take no memory."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def side_of_rows(base: Blueprint, plan: TrainPlan) -> int:
    """Return the side in pixels of a step's rows: of the pictures, or of what the base draws for terms, if larger."""
    side = plan.resolution or base.resolution
    return max(side, base.resolution) if plan.preserve else side


class StepMemory:
    """A step of a plan on a base that is only looked at: its layers with what is trained in their place.

    It computes in float32, or with autocast in 16 bits. `mode` is a context in which tensors are made: `fake()` unless
    another is given, such as one of real tensors, which a small base can afford. The base is used up.
    """

    def __init__(
        self, base: Blueprint, plan: TrainPlan, dtype: torch.dtype, mode: AbstractContextManager[Any] | None = None
    ) -> None:
        # Both kinds of 16 bits take the same, and autocast on the CPU knows this one in every release.
        self._kind = torch.bfloat16 if dtype.itemsize == 2 else torch.float32
        self._base, self._told, self._mode = base, base.told(), mode or fake()
        name = base.pipeline.denoiser
        self._model: Any = base.components[name]
        self._own, asked = tuple(self._model.modules()), [self._model]
        if plan.train_text_encoder or plan.method == "custom_diffusion":
            asked += [part for key, part in base.components.items() if key != name]
        for part in asked:
            part.to(self._kind).requires_grad_(False)
        if plan.method == "custom_diffusion":  # whose copies are made where the weights are
            self._make(asked)
            with self._mode:
                method = self._attached(plan)
        else:  # PEFT puts its layers beside weights of torch's own kinds alone
            method = self._attached(plan)
            self._make(asked)
        channels, *sides = base.latent_shape
        side = side_of_rows(base, plan)
        self._shape = (channels, *(latents * side // base.resolution for latents in sides))
        self._trains_text, base.network.device = method.trains_text, torch.device("cpu")
        self.trained = sum(parameter.numel() for parameter in method.parameters.values())
        """Numbers that are trained."""
        self.row = cache(self._row)

    def _attached(self, plan: TrainPlan) -> Any:
        base = self._base

        def first_token(word: str) -> Token:
            """Stand for any word: tokenizers of bases that are not here do not ship, and all tokens are as long."""
            encoder: Any = base.components["text_encoder"]
            return Token(0, encoder.get_input_embeddings())

        device = next(self._model.parameters()).device
        stand_in = SimpleNamespace(
            components=base.components, device=device, family=base.family.name, token=first_token
        )
        method = attach(cast(TrainableDenoiser, stand_in), plan)
        with torch.no_grad():
            self.changed = sum(change.numel() for change in method.changes())
            """Numbers of the weights that what is trained changes."""
        return method

    def _make(self, parts: list[nn.Module]) -> None:
        """Give layers that are shapes alone their weights, in the mode."""
        with self._mode:
            for module in (module for part in parts for module in part.modules()):
                for key, weight in module.named_parameters(recurse=False):
                    zeros = torch.zeros(weight.shape, dtype=weight.dtype)
                    module.register_parameter(key, nn.Parameter(zeros, weight.requires_grad))
                for key, buffer in module.named_buffers(recurse=False):
                    module.register_buffer(key, torch.zeros(buffer.shape, dtype=buffer.dtype), persistent=False)

    def _row(self, checkpointing: bool) -> int:
        """Return the bytes of activations of each row with gradients, recomputed in the backward pass or not."""
        # What does not depend on the rows, such as weights and their gradients, is the same in both.
        return self.peak(2, checkpointing) - self.peak(1, checkpointing)

    def peak(self, rows: int, checkpointing: bool) -> int:
        """Return the most bytes that a step with so many rows allocates, the weights among them that it looks at."""
        network, model, kind = self._base.network, self._model, self._kind
        (model.enable_gradient_checkpointing if checkpointing else model.disable_gradient_checkpointing)()
        for module in self._own:  # it works in training mode only, in which layers that are trained would drop out
            module.training = checkpointing
        with self._mode, norms_as_on_cuda():
            x = torch.zeros(rows, *self._shape, dtype=kind)
            t, given = torch.zeros(rows, dtype=torch.long), _rows_of(self._told, rows, kind)
            with PeakMemory() as memory:
                with torch.autocast("cpu", torch.bfloat16, enabled=kind != torch.float32):
                    said = network.embed_text([""] * rows) if self._trains_text else given
                    prediction = network.forward_in_training(x, t, said)
                prediction.float().square().mean().backward()
            self._forget_gradients()
        return memory.peak

    def _forget_gradients(self) -> None:
        for part in self._base.components.values():
            part.zero_grad()


def _rows_of(told: Conditioning, rows: int, kind: torch.dtype) -> Conditioning:
    """Return so many rows of a conditioning as zeros; masks stay shapes alone, which leave nothing out."""
    context = torch.zeros(rows, *told.context.shape[1:], dtype=kind)
    pooled = None if told.pooled is None else torch.zeros(rows, *told.pooled.shape[1:], dtype=kind)
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
