"""What is asked of an architecture: how its prompts are encoded, and its denoiser called."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from ...denoiser import Conditioning, Token


class Network(Protocol):
    """The parts of one pipeline (see `parts.Parts`), which know of each other here and nowhere else."""

    denoiser: Any
    """What predicts: a diffusers model."""
    components: Mapping[str, nn.Module]
    """The modules that adapters change, by name; the denoiser is one."""
    tokenizers: tuple[Any, ...]
    """What cuts prompts into tokens."""
    latent_shape: tuple[int, int, int]
    """(C, H, W) of one image's latents at the size that the model was made for."""
    resolution: int
    """Side of the square images that the model was made for, in pixels."""
    options: str
    """What else its answers depend on, as text; a base's digest has it."""

    def __init__(self, parts: Any) -> None: ...

    @classmethod
    def require_fit(cls, parts: Any, path: str) -> None:
        """Raise UsageError where the parts do not make a model that can be asked for its predictions."""
        ...

    @classmethod
    def settings(cls, parts: Any) -> Mapping[str, object]:
        """Return the settings of the denoiser that families are told apart by."""
        ...

    @classmethod
    def settings_of_file(cls, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, object]:
        """Return the same of a single file, by the shapes of its weights."""
        ...

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return the conditioning of the prompts, one row each, with gradients."""
        ...

    def embed_guided(self, prompts: Sequence[str], negatives: Sequence[str]) -> Conditioning:
        """Return the rows of the prompts, then those of what guidance leads away from: "" is no prompt at all."""
        ...

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the denoiser's prediction for x_t (N, C, h, w) at timesteps t (N,), with gradients."""
        ...

    def token(self, word: str) -> Token:
        """Return the one token of a word; raise UsageError where it is none or several."""
        ...


def token_numbers(tokenizer: Any, prompts: Sequence[str]) -> torch.Tensor:
    """Return the tokens (N, 77) of prompts for CLIP; longer prompts are cut as in every host."""
    tokens = tokenizer(
        list(prompts),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    return tokens.input_ids
