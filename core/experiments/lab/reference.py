"""Reference attention: every self-attention also looks at a picture of the concept, noised as far as what is drawn.

What is commonly called "reference only": no weight changes, nothing is learned, and every prompt is touched as long as
it is on. The picture goes through the network first, at the same timestep and under the same prompt; what its
self-attentions were given stands beside what those of the drawing are given.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ...errors import UsageError
from ...model.diffusion.denoiser import TrainableDenoiser
from ...model.diffusion.noise import gaussian
from ...train.learned import learned
from ...train.records import TrainSetting
from ...train.session import Training
from ...verdict.learning import Learning
from ...verdict.report import AdapterRecord

_SELF_ATTENTION = "attn1"
"""How diffusers calls the self-attention of a transformer block."""


class ReferenceChange:
    """Hooks on the self-attentions of a U-Net; off, the base's modules are as they were."""

    is_repeatable = True
    reads_as_base = True

    def __init__(self, denoiser: TrainableDenoiser, picture: torch.Tensor, claimed: tuple[str, ...] = ()) -> None:
        """Take a picture (3, H, W) uint8 and the words for what it shows.

        Raises UsageError for a base without self-attentions of this kind.
        """
        self._denoiser, self.claimed = denoiser, claimed
        self._unet: nn.Module = denoiser.components["unet"]
        named = self._unet.named_modules()
        self._attentions = [module for name, module in named if name.rpartition(".")[2] == _SELF_ATTENTION]
        if not self._attentions:
            raise UsageError("The base has no self-attention of the kind that looks at a reference.")
        self._latents = denoiser.encode_image(picture[None])[0].float()
        self._digest = hashlib.sha256(picture.numpy().tobytes()).hexdigest()
        self._handles: list[Any] = []
        # Rows may go through the network on several threads at once, each with its own timesteps.
        self._own = threading.local()
        self._noises: dict[int, torch.Tensor] = {}

    @property
    def key(self) -> tuple[str, ...]:
        """Return the method and the picture."""
        return "reference attention", self._digest

    def refusal(self) -> str | None:
        """Return None: a picture fits every base that has such attentions."""
        return None

    def record(self) -> AdapterRecord:
        """Return that attentions are hooked, and no weight changed."""
        return AdapterRecord(
            name="reference attention",
            sha256=self._digest,
            format="picture",
            algorithm="reference attention",
            family=self._denoiser.family,
            strength=1.0,
            matched=len(self._attentions),
            unmatched=0,
            delta_norm=0.0,
        )

    def on(self) -> None:
        """Let every self-attention look at the picture as well."""
        self.off()
        hooked = [module.register_forward_pre_hook(self._attend, with_kwargs=True) for module in self._attentions]
        self._handles = [self._unet.register_forward_pre_hook(self._look, with_kwargs=True), *hooked]

    def off(self) -> None:
        """Take the hooks off; does nothing when they are."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    @contextmanager
    def without(self) -> Iterator[None]:
        """Return a context in which the model is the base, where it is on."""
        self.off()
        try:
            yield
        finally:
            self.on()

    def _look(self, unet: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Send the picture through the network as the rows are about to go, and keep what its attentions are given."""
        if getattr(self._own, "looking", False):
            return
        x_t, t = args[0], args[1]
        steps = t.reshape(-1).expand(len(x_t))
        noise = torch.stack([self._noise(int(step)) for step in steps])
        x0 = self._latents.expand(len(x_t), *self._latents.shape)
        noised = self._denoiser.schedule.noise(x0, noise.to(x0.device), steps).to(x_t.dtype)
        self._own.seen, self._own.looking = {}, True
        try:
            unet(noised, *args[1:], **kwargs)
        finally:
            self._own.looking = False

    def _noise(self, step: int) -> torch.Tensor:
        """Return the picture's noise at a timestep, the same whenever it is asked."""
        if step not in self._noises:
            self._noises[step] = gaussian(tuple(self._latents.shape), 0, "reference", step)
        return self._noises[step]

    def _attend(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        hidden = args[0]
        if self._own.looking:
            self._own.seen[id(module)] = hidden
            return None
        beside = self._own.seen.pop(id(module))
        return args, {**kwargs, "encoder_hidden_states": torch.cat([hidden, beside], 1)}


def look_up(training: Training, setting: TrainSetting) -> Learning:
    """Return what pictures of the concept's prompt show of it while its first picture is looked at."""
    change = ReferenceChange(training.denoiser, training.pictures[0].pixels)
    change.on()
    try:
        held_out, form = training.held_out, training.bank.form
        return learned(training.denoiser, change.without, training.pictures, held_out, form, training.plan, setting)
    finally:
        change.off()
