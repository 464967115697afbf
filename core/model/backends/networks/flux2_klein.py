"""FLUX.2 klein: a transformer over normalised latents, one a token, and three layers of a Qwen3's tokens.

What the VAE gives is cut into patches of 2 by 2, which are channels, and normalised by statistics that it carries.
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
from ..flow import empirical, flow_of
from ..parts import (
    pixels_per_latent,
    require_angles_of,
    require_channels_of,
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

_TIMES = 10_000
"""Timesteps of its process, as many as ComfyUI lists sigmas of."""
_LONGEST = 512
"""Tokens of a prompt and what its template puts around it; the rest is cut, as in diffusers' pipeline."""
_LAYERS = (9, 18, 27)
"""Hidden states of the text encoder that are read side by side: a quarter, half and three quarters of its layers."""
_THEN = "<think>\n\n</think>\n\n"
"""How the answer begins of a Qwen3 that is told not to think."""
_RATIO = 6
"""How many times as wide as its tokens the first layer of a feed-forward is: three times, and as much for its gate."""


class Flux2Klein(Network):
    """See `Network`."""

    def __init__(self, parts: Any) -> None:
        self.denoiser, self._encoder = parts.transformer, parts.text_encoder
        self.vae, self._norm = parts.vae.config, parts.vae.bn
        self.components: Mapping[str, nn.Module] = {
            "transformer": parts.transformer,
            "text_encoder": parts.text_encoder,
        }
        self.device: torch.device = parts.transformer.device
        self.tokenizers = (parts.tokenizer,)
        self._scheduler: Mapping[str, Any] = parts.scheduler.config
        self.made_for: int = self.vae.sample_size
        self.resize(self.made_for)
        self.options = json.dumps([_LONGEST, _LAYERS, ASKED, _THEN, self._schedule.shift_growth])

    def resize(self, side: int) -> None:
        """See `Network.resize`."""
        self.resolution, latents = side, side // (pixels_per_latent(self.vae) * PATCH)
        self.latent_shape = (PATCH**2 * self.vae.latent_channels, latents, latents)
        self._schedule = flow_of(self._scheduler, _TIMES, empirical(latents**2))

    @classmethod
    def require_fit(cls, parts: Any, path: str) -> None:
        """Raise UsageError where the parts do not make a text-to-image model that can be asked for its predictions."""
        config, vae, encoder = parts.transformer.config, parts.vae.config, parts.text_encoder.config
        if (vae.in_channels, vae.out_channels) != (3, 3) or tuple(vae.patch_size) != (PATCH, PATCH):
            raise UsageError(f"{path}: the VAE is not one of colour pictures in patches of {PATCH} by {PATCH}.")
        require_size(vae, PATCH, path)
        require_angles_of(config.axes_dims_rope, config.attention_head_dim, path)
        channels = PATCH**2 * vae.latent_channels
        require_channels_of(config.in_channels, parts.transformer.out_channels, channels, path)
        require_width_of(len(_LAYERS) * encoder.hidden_size, config.joint_attention_dim, "its text encoder", path)
        require_words(parts.tokenizer, parts.text_encoder, path)
        if encoder.num_hidden_layers < max(_LAYERS):
            raise UsageError(
                f"{path}: the text encoder has {encoder.num_hidden_layers} layers, and layers {_LAYERS} are read."
            )
        if config.guidance_embeds:
            raise UsageError(f"{path}: the transformer is told guidance, as FLUX.2-dev is, and klein's is not.")
        require_chat(parts.tokenizer, path)

    @classmethod
    def settings(cls, parts: Any) -> Mapping[str, object]:
        """Return the width of what the transformer is told, by which the sizes of klein are told apart."""
        return {"joint_attention_dim": parts.transformer.config.joint_attention_dim}

    @classmethod
    def settings_of_file(cls, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, object]:
        """Return the same of a single file, whatever stands before its names; 0 where there is none."""
        widths = (shape[-1] for name, shape in shapes.items() if name.endswith("txt_in.weight") and shape)
        return {"joint_attention_dim": next(widths, 0)}

    def schedule(self) -> Schedule:
        """Return the process of its scheduler, shifted for pictures of its size."""
        return self._schedule

    def scaled(self, mean: torch.Tensor) -> torch.Tensor:
        """Return latents (N, 4 C, h/2, w/2) of what the VAE gives (N, C, h, w): its patches, normalised."""
        mid, spread = self._statistics(mean)
        return (nn.functional.pixel_unshuffle(mean, PATCH) - mid) / spread

    def unscaled(self, latents: torch.Tensor) -> torch.Tensor:
        """Return what the VAE's decoder takes; the inverse of `scaled`."""
        mid, spread = self._statistics(latents)
        return nn.functional.pixel_shuffle(latents * spread + mid, PATCH)

    def _statistics(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and standard deviation (1, 4 C, 1, 1) of the channels of patches, as the VAE carries them."""
        mid, spread = self._norm.running_mean, (self._norm.running_var + self.vae.batch_norm_eps).sqrt()
        return mid.view(1, -1, 1, 1).to(like), spread.view(1, -1, 1, 1).to(like)

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return three layers of the text encoder's hidden states (N, 512, 3 D), what fills prompts up included."""
        return in_turn(self._embed, prompts)

    def _embed(self, prompts: Sequence[str]) -> Conditioning:
        numbers, mask = chat_tokens(self.tokenizers[0], prompts, _LONGEST, _THEN)
        found = self._encoder.model(  # without the layer after it, whose words nobody asks for
            input_ids=numbers.to(self.device),
            attention_mask=mask.to(self.device),
            output_hidden_states=True,
            use_cache=False,
        )
        return Conditioning(torch.cat([found.hidden_states[layer] for layer in _LAYERS], dim=-1))

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the transformer's output, in the shape of the latents."""
        height, width = x_t.shape[-2:]
        # Rounded to the type of the latents as a number of 1,000, which is how the pipeline passes it.
        time = (noise_share(self._schedule, t) * 1000).to(x_t.dtype) / 1000
        found = self.denoiser(
            hidden_states=x_t.flatten(2).transpose(1, 2),
            timestep=time,
            guidance=None,
            encoder_hidden_states=cond.context,
            txt_ids=_grid(x_t.device, 1, 1, 1, cond.context.shape[1]),
            img_ids=_grid(x_t.device, 1, height, width, 1),
        ).sample
        return found.transpose(1, 2).reshape(x_t.shape)

    def row_values(self) -> int:
        """Return those of the transformer over the tokens of picture and prompt."""
        config = self.denoiser.config
        tokens = self.latent_shape[-1] ** 2 + _LONGEST
        return transformer_values(tokens, config.num_attention_heads * config.attention_head_dim, _RATIO)

    def text_values(self) -> Mapping[str, int]:
        """Return those of the language model, all of whose states are kept."""
        return {"text_encoder": reading_values(self._encoder.config, _LONGEST, self._encoder.config.num_hidden_layers)}

    def token(self, word: str) -> Token:
        """Raise UsageError: the word's embedding is one of a language model, which none here was trained as."""
        raise UsageError(f"{word!r} cannot be trained as a word: FLUX.2 reads prompts with a language model.")


def _grid(device: torch.device, *sizes: int) -> torch.Tensor:
    """Return the places of tokens (N, 4): time, row, column, and number in the prompt, the last the fastest."""
    return torch.cartesian_prod(*(torch.arange(size, device=device) for size in sizes))


NETWORK = Flux2Klein
