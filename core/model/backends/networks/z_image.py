"""Z-Image: a single-stream transformer over patches of latents and the tokens of a Qwen3 (arXiv 2511.22699).

It is fed the share of the picture where others are fed that of the noise, and its output is the other way round:
latents minus noise.
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
    require_channels_of,
    require_places,
    require_scaled_vae,
    require_size,
    require_width_of,
    require_words,
)
from .network import (
    ASKED,
    Network,
    chat_tokens,
    in_turn,
    noise_share,
    reading_values,
    require_chat,
)
from .patches import PATCH

_TIMES = 1_000
"""Timesteps of its process, as many as ComfyUI lists sigmas of."""
_LONGEST = 512
"""Tokens of a prompt and what its template puts around it; the rest is cut, as in diffusers' pipeline."""
_BEFORE_PICTURE = 2
"""Places along the first axis besides those of a prompt: the one before it, and that of the picture."""
_LAYER = -2
"""Hidden states of the text encoder that are read: the last but one."""
_RATIO = 8 / 3
"""How many times as wide as its tokens a feed-forward is."""


class ZImage(Network):
    """See `Network`."""

    def __init__(self, parts: Any) -> None:
        self.denoiser, self._encoder, self.vae = parts.transformer, parts.text_encoder, parts.vae.config
        self.components: Mapping[str, nn.Module] = {
            "transformer": parts.transformer,
            "text_encoder": parts.text_encoder,
        }
        self.device: torch.device = parts.transformer.device
        self.tokenizers = (parts.tokenizer,)
        self._scheduler: Mapping[str, Any] = parts.scheduler.config
        self.made_for: int = self.vae.sample_size
        self.resize(self.made_for)
        self.options = json.dumps([_LONGEST, _LAYER, ASKED])

    def resize(self, side: int) -> None:
        """See `Network.resize`."""
        self.resolution, latents = side, side // pixels_per_latent(self.vae)
        self.latent_shape = (self.vae.latent_channels, latents, latents)
        self._schedule = flow_of(self._scheduler, _TIMES, by_size(self._scheduler, (latents // PATCH) ** 2))

    @classmethod
    def require_fit(cls, parts: Any, path: str) -> None:
        """Raise UsageError where the parts do not make a text-to-image model that can be asked for its predictions."""
        config, channels = parts.transformer.config, parts.vae.config.latent_channels
        require_scaled_vae(parts.vae.config, path)
        require_size(parts.vae.config, PATCH, path)
        require_channels_of(config.in_channels, parts.transformer.out_channels, channels, path)
        require_width_of(parts.text_encoder.config.hidden_size, config.cap_feat_dim, "its text encoder", path)
        require_words(parts.tokenizer, parts.text_encoder, path)
        if PATCH not in config.all_patch_size or config.siglip_feat_dim is not None:
            raise UsageError(f"{path}: the transformer is not one that draws from text alone, in patches of {PATCH}.")
        patches = parts.vae.config.sample_size // pixels_per_latent(parts.vae.config) // PATCH
        require_places(config.axes_lens, (_LONGEST + _BEFORE_PICTURE, patches, patches), "axes_lens", path)
        require_chat(parts.tokenizer, path)

    def schedule(self) -> Schedule:
        """Return the process of its scheduler."""
        return self._schedule

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return the text encoder's hidden states (N, 512, D) before its last layer, and which are of the prompts."""
        return in_turn(self._embed, prompts)

    def _embed(self, prompts: Sequence[str]) -> Conditioning:
        numbers, mask = chat_tokens(self.tokenizers[0], prompts, _LONGEST)
        mask = mask.to(self.device).bool()
        found = self._encoder(
            input_ids=numbers.to(self.device), attention_mask=mask, output_hidden_states=True, use_cache=False
        )
        return Conditioning(found.hidden_states[_LAYER], mask=mask)

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the transformer's output, negated, in the shape of the latents."""
        assert cond.mask is not None
        time = (1000 - noise_share(self._schedule, t) * 1000) / 1000
        texts = [row if mask.is_meta else row[mask] for row, mask in zip(cond.context, cond.mask, strict=True)]
        found = self.denoiser(list(x_t.unsqueeze(2).unbind()), time, texts).sample
        return -torch.stack(found).squeeze(2)

    def row_values(self) -> int:
        """Return those of the transformer over the tokens of picture and prompt."""
        tokens = (self.latent_shape[-1] // PATCH) ** 2 + _LONGEST
        return transformer_values(tokens, self.denoiser.config.dim, _RATIO)

    def text_values(self) -> Mapping[str, int]:
        """Return those of the language model, all of whose states are kept."""
        return {"text_encoder": reading_values(self._encoder.config, _LONGEST, self._encoder.config.num_hidden_layers)}

    def token(self, word: str) -> Token:
        """Raise UsageError: the word's embedding is one of a language model, which none here was trained as."""
        raise UsageError(f"{word!r} cannot be trained as a word: Z-Image reads prompts with a language model.")


NETWORK = ZImage
