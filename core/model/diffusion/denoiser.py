"""The boundary to every foreign model: what the measurements may ask of a text-to-image diffusion model."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad

from ...errors import InvalidError, Setting
from .schedule import Schedule


@dataclass(frozen=True)
class Conditioning:
    """Encoded prompts, one row each."""

    context: torch.Tensor
    """(N, L, D) hidden states for cross-attention."""
    pooled: torch.Tensor | None = None
    """(N, P) pooled embedding, for families that use one."""
    mask: torch.Tensor | None = None
    """(N, L) which hidden states are those of a prompt and not what fills it up, for families that leave these out."""

    def mean(self) -> torch.Tensor:
        """Return the mean (N, D) float32 of each prompt's hidden states, without what fills it up."""
        if self.mask is None:
            return self.context.float().mean(1)
        share = self.mask.float() / self.mask.sum(1, keepdim=True)
        return (self.context.float() * share[:, :, None]).sum(1)

    def __len__(self) -> int:
        return len(self.context)

    def to(self, device: torch.device) -> "Conditioning":
        """Return the same on a device."""
        pooled, mask = (None if part is None else part.to(device) for part in (self.pooled, self.mask))
        return replace(self, context=self.context.to(device), pooled=pooled, mask=mask)

    def trimmed(self) -> "Conditioning":
        """Return the same without what fills up every row behind its prompt, where a mask says what that is."""
        if self.mask is None or self.mask.all():
            return self
        length = int(self.mask.any(0).nonzero().max()) + 1
        return Conditioning(self.context[:, :length].clone(), self.pooled, self.mask[:, :length].clone())

    def rows(self, index: torch.Tensor | np.ndarray | Sequence[int]) -> "Conditioning":
        """Return the rows at integer positions `index`, repeated and reordered at will."""
        index = torch.as_tensor(index, device=self.context.device, dtype=torch.long)
        return Conditioning(self.context[index], *(_rows(part, index) for part in (self.pooled, self.mask)))


def _rows(part: torch.Tensor | None, index: torch.Tensor) -> torch.Tensor | None:
    return None if part is None else part[index]


def joined(parts: Sequence[Conditioning]) -> Conditioning:
    """Return the rows of several conditionings of one model as one; shorter ones are filled up, and masks say so."""
    if len(parts) == 1:
        return parts[0]
    length = max(part.context.shape[1] for part in parts)
    are_masked = any(part.mask is not None or part.context.shape[1] < length for part in parts)
    filled = [_filled(part, length) for part in parts] if are_masked else parts
    return Conditioning(
        torch.cat([part.context for part in filled]),
        _joined([part.pooled for part in filled]),
        _joined([part.mask for part in filled]),
    )


def _filled(part: Conditioning, length: int) -> Conditioning:
    """Return rows of hidden states with zeros behind them, which the mask leaves out; else all are of prompts."""
    own, more = part.context.shape[:2], length - part.context.shape[1]
    mask = torch.ones(own, dtype=torch.bool, device=part.context.device) if part.mask is None else part.mask
    context = pad(part.context, (*(0, 0) * (part.context.ndim - 2), 0, more))
    return Conditioning(context, part.pooled, pad(mask, (0, more)))


def _joined(parts: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    found = [part for part in parts if part is not None]
    return torch.cat(found) if found else None


@runtime_checkable
class Hosted(Protocol):
    """A model that another program runs: its version and settings count as those of a library do."""

    @property
    def host(self) -> Mapping[str, str]:
        """Return what names the program and how it computes, as rows of a report's environment."""
        ...


@runtime_checkable
class ToldInTraining(Protocol):
    """A model that is told something besides prompts, such as guidance, and another number of it in a training."""

    @property
    def told_in_training(self) -> Mapping[str, str]:
        """Return what that is, as metadata of what is trained."""
        ...


@runtime_checkable
class Guiding(Protocol):
    """A model that says itself what guidance makes of its two predictions."""

    def guided(self, with_prompt: torch.Tensor, without: torch.Tensor, scale: float) -> torch.Tensor:
        """Return what guidance of a scale makes of predictions (N, C, h, w) with the prompt and without."""
        ...


def classifier_free(with_prompt: torch.Tensor, without: torch.Tensor, scale: float) -> torch.Tensor:
    """Return what guidance of a scale makes of predictions with the prompt and without (Ho and Salimans 2022)."""
    return without + scale * (with_prompt - without)


def overflow(what: str, dtype: torch.dtype) -> InvalidError:
    """Return the error of numbers that are not finite; it advises a wider type where there is one."""
    if dtype in (torch.float32, torch.float64):
        return InvalidError(f"{what}.")
    return InvalidError(f"{what}; try the type float32.", Setting("dtype", "float32"))


class Denoiser(Protocol):
    """A latent text-to-image diffusion model with its weights on one device.

    Epsilon, v and flow models differ only in `schedule`; an error is always loss(predict, schedule.target).
    """

    name: str
    """How people call the model: hub id, file or folder name."""
    family: str
    """Name of its record in `families`."""
    schedule: Schedule
    """Forward process: noise() and target()."""
    components: Mapping[str, nn.Module]
    """The modules that adapters change: "unet", "text_encoder" and so on."""
    made_for: int
    """Side of the square images that the model was made for, in pixels."""
    resolution: int
    """Side of those that it is asked about; see `resize`."""
    latent_shape: tuple[int, int, int]
    """(C, H, W) of one image's latents at that resolution."""

    @property
    def device(self) -> torch.device:
        """Return where the weights are."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Return their floating-point type."""
        ...

    @property
    def clip_skip(self) -> int | None:
        """Return the layer of the text encoder at which prompts are read, counted from its last; None: the usual."""
        ...

    def encode_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return the conditioning of the prompts, one row each."""
        ...

    def encode_guided(self, prompts: Sequence[str], negatives: Sequence[str]) -> Conditioning:
        """Return the rows of the prompts, then those of what guidance leads away from: "" is no prompt at all."""
        ...

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        """Return scaled latents (N, C, h, w) of uint8 images (N, 3, H, W): the posterior's mean."""
        ...

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return uint8 images (N, 3, H, W) on the CPU."""
        ...

    def predict(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the network's prediction for x_t (N, C, h, w) at integer timesteps t (N,)."""
        ...

    def digest(self) -> str:
        """Return the SHA-256 over the configuration and weights of the unadapted model; no size changes it."""
        ...

    def resize(self, side: int) -> None:
        """Be asked about pictures of so many pixels from now on, in latents and at times that go with them."""
        ...


@contextmanager
def asked_at(denoiser: Denoiser, side: int) -> Iterator[None]:
    """Return a context in which a denoiser is asked about pictures of a side in pixels."""
    before = denoiser.resolution
    if side != before:
        denoiser.resize(side)
    try:
        yield
    finally:
        if side != before:
            denoiser.resize(before)


class TrainableDenoiser(Denoiser, Protocol):
    """A Denoiser that also answers with gradients, for training."""

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return what `predict` returns, with gradients, told what it is told in a training (see `ToldInTraining`)."""
        ...

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return what `encode_text` returns, with gradients."""
        ...

    def checkpoint_gradients(self, on: bool) -> None:
        """Turn recomputing of activations in the backward pass on or off, which saves memory."""
        ...

    def token(self, word: str) -> "Token":
        """Return the one token of a word; raise UsageError where it is none or several."""
        ...


@dataclass(frozen=True)
class Token:
    """A word of the text encoder's vocabulary."""

    number: int
    """Its row in the embedding layer."""
    embedding: nn.Embedding
    """The layer."""
