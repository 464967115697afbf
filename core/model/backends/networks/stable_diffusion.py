"""Stable Diffusion 1 and 2: one CLIP text encoder, whose hidden states a U-Net reads: the last, or earlier ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ....errors import Setting, UsageError
from ...diffusion.denoiser import Conditioning, Token
from ...diffusion.schedule import Schedule
from ..activations import unet_values
from ..parts import (
    latent_side,
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

_CROSS_ATTENTION = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
"""A weight whose inputs are as many as the text encoder's width."""


class StableDiffusion(Network):
    """See `Network`."""

    def __init__(self, parts: Any) -> None:
        self.denoiser, self._text_encoder, self._tokenizer = parts.unet, parts.text_encoder, parts.tokenizer
        self.components: Mapping[str, nn.Module] = {"unet": parts.unet, "text_encoder": parts.text_encoder}
        self.device: torch.device = parts.unet.device
        self.vae, self._scheduler = parts.vae.config, parts.scheduler.config
        self.tokenizers = (parts.tokenizer,)
        self.made_for = pixels_of_unet(parts)
        self.resize(self.made_for)
        self._clip_skip = 1

    def resize(self, side: int) -> None:
        """See `Network.resize`."""
        self.resolution, latents = side, side // pixels_per_latent(self.vae)
        self.latent_shape = (self.denoiser.config.in_channels, latents, latents)

    @classmethod
    def require_fit(cls, parts: Any, path: str) -> None:
        """Raise UsageError where the parts do not make a text-to-image model that can be asked for its predictions."""
        require_plain_unet(parts, path)
        require_plain_vae(parts.vae.config, path)
        require_width(parts.text_encoder.config.hidden_size, parts.unet.config.cross_attention_dim, path)
        require_words(parts.tokenizer, parts.text_encoder, path)
        require_side(parts.unet.config, path)

    @classmethod
    def settings(cls, parts: Any) -> Mapping[str, object]:
        """Return the width of the cross-attention and the side of the latents."""
        return {
            "cross_attention_dim": parts.unet.config.cross_attention_dim,
            "sample_size": latent_side(parts.unet.config),
        }

    @classmethod
    def settings_of_file(cls, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, object]:
        """Return the width of the cross-attention in a single file; 0 where there is none."""
        return {"cross_attention_dim": shapes.get(_CROSS_ATTENTION, (0,))[-1]}

    def schedule(self) -> Schedule:
        """Return the process of its scheduler."""
        return schedule_of(self._scheduler)

    def skip_layers(self, clip_skip: int) -> None:
        """See `Network`."""
        layers = self._text_encoder.config.num_hidden_layers
        if not 1 <= clip_skip <= layers:
            said = f"The text encoder has {layers} layers: there is no clip skip {clip_skip}."
            raise UsageError(said, Setting("clip_skip", "2"))
        self._clip_skip = clip_skip
        if clip_skip > 1:  # else the base is the one that it was before there was a choice
            self.options, self.told = f"clip skip {clip_skip}", {"clip skip": str(clip_skip)}

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return the text encoder's last hidden states (N, 77, D), or earlier ones under its last normalisation.

        So hosts have it; diffusers' `clip_skip` counts one less.
        """
        numbers = token_numbers(self._tokenizer, prompts).to(self.device)
        if self._clip_skip == 1:
            return Conditioning(self._text_encoder(numbers)[0])
        states = self._text_encoder(numbers, output_hidden_states=True).hidden_states
        # transformers 5 dropped a level of names.
        whole = getattr(self._text_encoder, "text_model", self._text_encoder)
        return Conditioning(whole.final_layer_norm(states[-self._clip_skip]))

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the U-Net's output."""
        return self.denoiser(x_t, t, encoder_hidden_states=cond.context).sample

    def row_values(self) -> int:
        """Return those of the U-Net."""
        return unet_values(self.denoiser.config, self.latent_shape[-1])

    def token(self, word: str) -> Token:
        """Return the one token of a word; raise UsageError where it is none or several."""
        numbers = self._tokenizer(word, add_special_tokens=False).input_ids
        if len(numbers) != 1:
            raise UsageError(
                f"The text encoder splits {word!r} into {len(numbers)} tokens; choose a trigger that is one, "
                'such as "sks", "ohwx" or "ktn".',
                Setting("trigger"),
            )
        return Token(numbers[0], self._text_encoder.get_input_embeddings())


NETWORK = StableDiffusion
