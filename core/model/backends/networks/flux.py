"""FLUX.1: a transformer over patches of latents and the tokens of a T5, told a pooled CLIP vector and guidance.

Guidance is no mixture of two predictions here: the network was trained to predict what guidance would, and is told
its strength as a number (distillation after Meng et al. 2023, arXiv 2210.03142). Schnell is told nothing.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ....errors import UsageError
from ...diffusion.denoiser import Conditioning, Token
from ...diffusion.schedule import Schedule
from ..activations import transformer_values
from ..flow import by_size, flow_of
from ..parts import (
    pixels_per_latent,
    require_angles_of,
    require_channels_of,
    require_scaled_vae,
    require_size,
    require_width_of,
    require_words,
)
from .network import Network, in_turn, noise_share, token_numbers
from .patches import PATCH, packed, unpacked

GUIDANCE = 3.5
"""Strength of guidance that the network is told: what people draw with, diffusers' and ComfyUI's default."""
TRAINED_GUIDANCE = 1.0
"""The same in a training: none. Pictures are what an unguided prediction leads to; told 3.5, the network would have to
unlearn what guidance adds, to fit them. kohya's scripts recommend it, ai-toolkit and diffusers' README do it."""
_TIMES = {True: 10_000, False: 1_000}
"""Timesteps of its process, as many as ComfyUI lists sigmas of, by whether it is told guidance: Schnell is not."""
_LONGEST = 512
"""Tokens of a prompt for T5; the rest is cut, as in every host."""


class Flux(Network):
    """See `Network`."""

    def __init__(self, parts: Any) -> None:
        self.denoiser, self.vae = parts.transformer, parts.vae.config
        self._clip, self._t5 = parts.text_encoder, parts.text_encoder_2
        self.components: Mapping[str, nn.Module] = {
            "transformer": parts.transformer,
            "text_encoder": parts.text_encoder,
            "text_encoder_2": parts.text_encoder_2,
        }
        self.device: torch.device = parts.transformer.device
        self.tokenizers = (parts.tokenizer, parts.tokenizer_2)
        self._scheduler: Mapping[str, Any] = parts.scheduler.config
        self._is_told = bool(parts.transformer.config.guidance_embeds)
        self.made_for: int = self.vae.sample_size
        self.resize(self.made_for)
        self.told: Mapping[str, str] = {"guidance told to the network": f"{GUIDANCE:g}"} if self._is_told else {}
        if self._is_told:  # as kohya's scripts call it in a file's metadata
            self.told_in_training: Mapping[str, str] = {"ss_guidance_scale": f"{TRAINED_GUIDANCE}"}
        self.options = json.dumps([dict(self.told), _LONGEST])

    def resize(self, side: int) -> None:
        """See `Network.resize`."""
        self.resolution, latents = side, side // pixels_per_latent(self.vae)
        self.latent_shape = (self.vae.latent_channels, latents, latents)
        shift = by_size(self._scheduler, (latents // PATCH) ** 2)
        self._schedule = flow_of(self._scheduler, _TIMES[self._is_told], shift)

    @classmethod
    def require_fit(cls, parts: Any, path: str) -> None:
        """Raise UsageError where the parts do not make a text-to-image model that can be asked for its predictions."""
        config = parts.transformer.config
        require_scaled_vae(parts.vae.config, path)
        require_size(parts.vae.config, PATCH, path)
        require_angles_of(config.axes_dims_rope, config.attention_head_dim, path)
        patch = PATCH**2 * parts.vae.config.latent_channels
        require_channels_of(config.in_channels, parts.transformer.out_channels, patch, path)
        require_width_of(parts.text_encoder_2.config.d_model, config.joint_attention_dim, "T5", path)
        require_width_of(parts.text_encoder.config.hidden_size, config.pooled_projection_dim, "CLIP", path)
        require_words(parts.tokenizer, parts.text_encoder, path)
        require_words(parts.tokenizer_2, parts.text_encoder_2, path)

    def schedule(self) -> Schedule:
        """Return the process of its scheduler, shifted for pictures of its size."""
        return self._schedule

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return T5's hidden states (N, 512, D), and what CLIP pools (N, P)."""
        return in_turn(self._embed, prompts)

    def _embed(self, prompts: Sequence[str]) -> Conditioning:
        clip, t5 = self.tokenizers
        pooled = self._clip(token_numbers(clip, prompts).to(self.device)).pooler_output
        context = self._t5(token_numbers(t5, prompts, _LONGEST).to(self.device))[0]
        return Conditioning(context, pooled)

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the transformer's output, in the shape of the latents."""
        return self._guided(x_t, t, cond, GUIDANCE)

    def forward_in_training(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the same, told another strength of guidance."""
        return self._guided(x_t, t, cond, TRAINED_GUIDANCE)

    def _guided(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning, strength: float) -> torch.Tensor:
        height, width = x_t.shape[-2] // PATCH, x_t.shape[-1] // PATCH
        # Rounded to the type of the latents as a number of 1,000, which is how the pipeline passes it.
        time = (noise_share(self._schedule, t) * 1000).to(x_t.dtype) / 1000
        found = self.denoiser(
            hidden_states=packed(x_t),
            timestep=time,
            guidance=x_t.new_full((len(x_t),), strength, dtype=torch.float32) if self._is_told else None,
            pooled_projections=cond.pooled,
            encoder_hidden_states=cond.context,
            txt_ids=torch.zeros(cond.context.shape[1], 3, device=x_t.device),
            img_ids=_places(height, width, x_t.device),
        ).sample
        return unpacked(found, height, width)

    def row_values(self) -> int:
        """Return those of the transformer over the tokens of picture and prompt."""
        config = self.denoiser.config
        tokens = (self.latent_shape[-1] // PATCH) ** 2 + _LONGEST
        return transformer_values(tokens, config.num_attention_heads * config.attention_head_dim, 4)

    def token(self, word: str) -> Token:
        """Raise UsageError: a word is read by two encoders that cut it in ways of their own."""
        raise UsageError(f"{word!r} cannot be trained as a word: FLUX.1 reads words with two encoders.")


def _places(height: int, width: int, device: torch.device) -> torch.Tensor:
    """Return where each patch is: (height * width, 3) of 0, row and column."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    return torch.cartesian_prod(torch.zeros(1, device=device), rows.float(), columns.float())


NETWORK = Flux
