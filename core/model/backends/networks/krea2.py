"""Krea 2: a single-stream transformer over patches of latents and twelve layers of a Qwen3-VL, which it fuses."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ....errors import UsageError
from ...diffusion.denoiser import Conditioning, Token
from ...diffusion.schedule import Schedule
from ..activations import transformer_values
from ..flow import Shift, by_size, flow_of
from ..parts import require_channels_of, require_width_of, require_words
from .described import AFTER, BEFORE, DROPPED, ENDING, cut, filled, require_template
from .network import in_turn, noise_share, reading_values
from .on_qwen_vae import OnQwenVae
from .patches import PATCH, packed, unpacked

_TIMES = 10_000
"""Timesteps of its process, as many as ComfyUI lists sigmas of."""
_LONGEST = 512
"""Tokens of a prompt and what its template puts after it; the rest is cut, as in diffusers' pipeline."""
_LAYERS = (2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35)
"""Hidden states of the text encoder that are read, unless the pipeline's settings name others."""
_DISTILLED = Shift(1.15)
"""Shift that the distilled base was made for, whatever the size of pictures."""


class Krea2(OnQwenVae):
    """See `Network`."""

    usual_size = 1024

    def __init__(self, parts: Any) -> None:
        self.denoiser, self._encoder = parts.transformer, parts.text_encoder
        self.components: Mapping[str, nn.Module] = {
            "transformer": parts.transformer,
            "text_encoder": parts.text_encoder,
        }
        self.device: torch.device = parts.transformer.device
        self.tokenizers = (parts.tokenizer,)
        self._scheduler, self._is_distilled = parts.scheduler.config, bool(parts.index.get("is_distilled"))
        self._look_through(parts.vae)
        self._layers = _layers(parts.index)
        self.options = json.dumps([_LONGEST, self._layers, BEFORE, AFTER, self.resolution])

    def resize(self, side: int) -> None:
        """See `Network.resize`."""
        super().resize(side)
        shift = _DISTILLED if self._is_distilled else by_size(self._scheduler, self._tokens)
        self._schedule = flow_of(self._scheduler, _TIMES, shift)

    @classmethod
    def require_fit(cls, parts: Any, path: str) -> None:
        """Raise UsageError where the parts do not make a text-to-image model that can be asked for its predictions."""
        config, vae, encoder = parts.transformer.config, parts.vae.config, parts.text_encoder.config.text_config
        cls.require_vae(vae, path)
        channels = PATCH**2 * vae.z_dim
        require_channels_of(config.in_channels, parts.transformer.out_channels, channels, path)
        require_width_of(encoder.hidden_size, config.text_hidden_dim, "its text encoder", path)
        require_words(parts.tokenizer, parts.text_encoder, path)
        require_template(parts.tokenizer, path)
        if parts.index.get("patch_size", PATCH) != PATCH:
            raise UsageError(f"{path}: its patches have a side of {parts.index['patch_size']!r} latents, not {PATCH}.")
        if not isinstance(parts.index.get("is_distilled", False), bool):
            raise UsageError(f"{path}: is_distilled is {parts.index['is_distilled']!r}, and neither true nor false.")
        _require_layers(parts.index, encoder.num_hidden_layers, config.num_text_layers, path)

    def schedule(self) -> Schedule:
        """Return the process of its scheduler, shifted for pictures of its size, or as the distilled base's."""
        return self._schedule

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return the layers of the text encoder's hidden states (N, L, 12 D) side by side, and which are of prompts."""
        return in_turn(self._embed, prompts)

    def _embed(self, prompts: Sequence[str]) -> Conditioning:
        tokenizer = self.tokenizers[0]
        ending = tokenizer(AFTER).input_ids
        rows = cut(tokenizer, [BEFORE + prompt for prompt in prompts], _LONGEST + DROPPED - ENDING)
        numbers, mask = filled([[*row, *ending] for row in rows], self.device)
        found = self._encoder(input_ids=numbers, output_hidden_states=True, use_cache=False).hidden_states
        return Conditioning(torch.cat([found[i] for i in self._layers], dim=-1)[:, DROPPED:], mask=mask[:, DROPPED:])

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the transformer's output, in the shape of the latents."""
        height, width = x_t.shape[-2] // PATCH, x_t.shape[-1] // PATCH
        found = self.denoiser(
            hidden_states=packed(x_t),
            encoder_hidden_states=cond.context.unflatten(-1, (len(self._layers), -1)),
            timestep=noise_share(self._schedule, t).to(x_t.dtype),
            position_ids=_places(cond.context.shape[1], height, width, x_t.device),
            encoder_attention_mask=cond.mask,
        ).sample
        return unpacked(found, height, width)

    def row_values(self) -> int:
        """Return those of the transformer over the tokens of picture and prompt."""
        config = self.denoiser.config
        tokens = (self.latent_shape[-1] // PATCH) ** 2 + _LONGEST
        width = config.num_attention_heads * config.attention_head_dim
        return transformer_values(tokens, width, config.intermediate_size / width)

    def text_values(self) -> Mapping[str, int]:
        """Return those of the language model, all of whose states are kept."""
        config = self._encoder.config.text_config
        return {"text_encoder": reading_values(config, _LONGEST + DROPPED, config.num_hidden_layers)}

    def token(self, word: str) -> Token:
        """Raise UsageError: the word's embedding is one of a language model, which none here was trained as."""
        raise UsageError(f"{word!r} cannot be trained as a word: Krea 2 reads prompts with a language model.")


def _layers(index: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the hidden states that are read, by the settings of the pipeline."""
    return tuple(index.get("text_encoder_select_layers") or _LAYERS)


def _require_layers(index: Mapping[str, Any], there: int, taken: int, path: str) -> None:
    """Raise UsageError unless the hidden states that are read exist and are as many as the transformer takes."""
    named = index.get("text_encoder_select_layers")
    if named is not None and not isinstance(named, (list, tuple)):
        raise UsageError(f"{path}: text_encoder_select_layers is {named!r}, and not a list of layers.")
    layers = _layers(index)
    if len(layers) != taken or not all(type(layer) is int and 0 <= layer <= there for layer in layers):
        raise UsageError(
            f"{path}: layers {list(layers)} of the text encoder are read; it has {there}, and the transformer takes "
            f"{taken} of it."
        )


def _places(texts: int, height: int, width: int, device: torch.device) -> torch.Tensor:
    """Return where each token is: (texts + height * width, 3) of 0, row and column; those of text all at the origin."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    picture = torch.cartesian_prod(torch.zeros(1, device=device), rows.float(), columns.float())
    return torch.cat([torch.zeros(texts, 3, device=device), picture])


NETWORK = Krea2
