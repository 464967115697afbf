"""Stable Diffusion XL (Podell et al. 2023, arXiv 2307.01952): two CLIP text encoders, a pooled vector, and sizes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ....errors import OFF, Setting, UsageError
from ...diffusion.denoiser import Conditioning, Token
from ...diffusion.schedule import Schedule
from ..activations import unet_values
from ..parts import (
    pixels_of_unet,
    pixels_per_latent,
    require_plain_unet,
    require_plain_vae,
    require_side,
    require_width,
    require_words,
)
from ..scheduler import schedule_of
from .network import Network, token_numbers

_SIZES = 6
"""Numbers about its size that the U-Net is told of a picture: height and width that it had, the corner at which it was
cut, height and width that it has."""
_REFINER = 5
"""As many as the refiner is told, with the score of a picture's looks in place of the last two."""
_WITH_SIZES = "text_time"
"""What a U-Net that is told a pooled vector and sizes calls that."""


class StableDiffusionXL(Network):
    """See `Network`."""

    def __init__(self, parts: Any) -> None:
        self.denoiser = parts.unet
        self.vae, self._scheduler = parts.vae.config, parts.scheduler.config
        self._encoders = (parts.text_encoder, parts.text_encoder_2)
        self.components: Mapping[str, nn.Module] = {
            "unet": parts.unet,
            "text_encoder": parts.text_encoder,
            "text_encoder_2": parts.text_encoder_2,
        }
        self.device: torch.device = parts.unet.device
        self.tokenizers = (parts.tokenizer, parts.tokenizer_2)
        self.made_for = pixels_of_unet(parts)
        self.resize(self.made_for)
        # What diffusers takes where a pipeline's settings say nothing.
        self._is_nothing_zero = bool(parts.index.get("force_zeros_for_empty_prompt", True))
        self.options = json.dumps([self._is_nothing_zero, [t.pad_token_id for t in self.tokenizers]])

    def resize(self, side: int) -> None:
        """See `Network.resize`."""
        self.resolution, latents = side, side // pixels_per_latent(self.vae)
        self.latent_shape = (self.denoiser.config.in_channels, latents, latents)

    @classmethod
    def require_fit(cls, parts: Any, path: str) -> None:
        """Raise UsageError where the parts do not make a text-to-image model that can be asked for its predictions."""
        config, encoders = parts.unet.config, (parts.text_encoder, parts.text_encoder_2)
        require_plain_unet(parts, path, (("addition_embed_type", _WITH_SIZES),))
        require_plain_vae(parts.vae.config, path)
        require_width(sum(encoder.config.hidden_size for encoder in encoders), config.cross_attention_dim, path)
        _require_sizes(config, parts.text_encoder_2.config.projection_dim, path)
        require_words(parts.tokenizer, parts.text_encoder, path)
        require_words(parts.tokenizer_2, parts.text_encoder_2, path)
        require_side(config, path)

    def schedule(self) -> Schedule:
        """Return the process of its scheduler."""
        return schedule_of(self._scheduler)

    def skip_layers(self, clip_skip: int) -> None:
        """Raise UsageError: there is no choice."""
        raise UsageError(
            "Stable Diffusion XL reads the penultimate layers of its text encoders by itself, which its children call "
            "clip skip 2.",
            Setting("clip_skip", OFF),
        )

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return the penultimate hidden states of both encoders (N, 77, D), and what the second pools (N, P)."""
        contexts, pooled = [], None
        for tokenizer, encoder in zip(self.tokenizers, self._encoders, strict=True):
            numbers = token_numbers(tokenizer, prompts).to(self.device)
            found = encoder(numbers, output_hidden_states=True)
            contexts.append(found.hidden_states[-2])
            pooled = found[0]  # of the second, which projects: its first output
        return Conditioning(torch.cat(contexts, dim=-1), pooled)

    def embed_guided(self, prompts: Sequence[str], negatives: Sequence[str]) -> Conditioning:
        """Return the rows of all; no prompt is zeros, as the model was trained, unless its pipeline says otherwise."""
        cond = self.embed_text([*prompts, *negatives])
        if not self._is_nothing_zero:
            return cond
        said = torch.tensor([True] * len(prompts) + [bool(text) for text in negatives], device=cond.context.device)
        assert cond.pooled is not None
        return replace(
            cond,
            context=cond.context.where(said[:, None, None], torch.zeros_like(cond.context)),
            pooled=cond.pooled.where(said[:, None], torch.zeros_like(cond.pooled)),
        )

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the U-Net's output; it is told that the pictures have the size of these latents, and are whole."""
        more = {"text_embeds": cond.pooled, "time_ids": picture_sizes(x_t, pixels_per_latent(self.vae))}
        return self.denoiser(x_t, t, encoder_hidden_states=cond.context, added_cond_kwargs=more).sample

    def row_values(self) -> int:
        """Return those of the U-Net."""
        return unet_values(self.denoiser.config, self.latent_shape[-1])

    def token(self, word: str) -> Token:
        """Raise UsageError: a word has an embedding in each text encoder, and one would be trained."""
        raise UsageError(
            f"{word!r} cannot be trained as a word: Stable Diffusion XL reads words with two encoders.",
            Setting("method", "dreambooth_lora"),
        )


def picture_sizes(latents: torch.Tensor, pixels: int) -> torch.Tensor:
    """Return what the U-Net is told of each picture's size (N, 6) float32, for latents of `pixels` pixels a side."""
    sizes = torch.zeros(len(latents), _SIZES, device=latents.device)
    height, width = (pixels * side for side in latents.shape[-2:])
    sizes[:, ::4], sizes[:, 1::4] = height, width  # before and after it was cut, at the corner (0, 0)
    return sizes


def _require_sizes(config: Any, pooled: int, path: str) -> None:
    told, each = config.projection_class_embeddings_input_dim, config.addition_time_embed_dim
    if told == pooled + _SIZES * each:
        return
    kind = ", as the refiner of Stable Diffusion XL" if told == pooled + _REFINER * each else ""
    raise UsageError(
        f"{path}: the UNet is told {told} numbers besides the prompt{kind}, and a text-to-image model {pooled} of the "
        f"second text encoder and {_SIZES} sizes of {each} each."
    )


NETWORK = StableDiffusionXL
