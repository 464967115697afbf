"""Anima: Cosmos-Predict2, told of prompts by a text conditioner that looks up in a Qwen3 what the tokens of T5 mean.

The conditioner is a part of the base as the text encoder is one: LoRAs change it, and it acts on every prompt.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import pad

from ....errors import UsageError
from ...diffusion.denoiser import Conditioning, Token
from ...diffusion.schedule import Schedule
from ..activations import sequential_values
from ..flow import Shift, flow_of
from ..parts import require_channels_of, require_places, require_vocabulary, require_width_of, require_words
from .described import cut, filled
from .network import in_turn, noise_share, reading_values
from .on_qwen_vae import OnQwenVae
from .patches import PATCH

_TIMES = 1_000
"""Timesteps of its process, as many as ComfyUI lists sigmas of."""
_LONGEST = 512
"""Tokens of a prompt, of either tokenizer; the rest is cut, as in diffusers' pipeline. The transformer is always told
of as many: zeros, which it looks at too, fill prompts up."""
_NOTHING = 0
"""Token that stands where the Qwen3 is given no text; its state is taken for zero."""
_RATIO = 4
"""How many times as wide as its tokens a feed-forward is."""
_VARIANTS = {
    "use_crossattn_projection": "is told of prompts by another text encoder",
    "img_context_dim_in": "is told of pictures",
    "controlnet_block_every_n": "follows a ControlNet",
    "extra_pos_embed_type": "learned where its tokens are, as for videos",
}
"""Settings of transformers of this class that Anima has not -> what one with such does."""


class Anima(OnQwenVae):
    """See `Network`."""

    usual_size = 1024

    def __init__(self, parts: Any) -> None:
        self.denoiser, self._conditioner, self._encoder = parts.transformer, parts.text_conditioner, parts.text_encoder
        self.components: Mapping[str, nn.Module] = {
            name: getattr(parts, name) for name in ("transformer", "text_conditioner", "text_encoder")
        }
        self.device: torch.device = parts.transformer.device
        self.tokenizers = (parts.tokenizer, parts.t5_tokenizer)
        self._look_through(parts.vae)
        self._schedule = _schedule(parts.scheduler.config)
        self.options = json.dumps([_LONGEST, self.resolution])

    @classmethod
    def require_fit(cls, parts: Any, path: str) -> None:
        """Raise UsageError where the parts do not make a text-to-image model that can be asked for its predictions."""
        config, vae, conditioner = parts.transformer.config, parts.vae.config, parts.text_conditioner.config
        for setting, what in _VARIANTS.items():
            if config.get(setting):
                raise UsageError(f"{path}: the transformer {what} ({setting}), as none of an Anima does.")
        cls.require_vae(vae, path)
        require_channels_of(config.in_channels, config.out_channels, vae.z_dim, path)
        if tuple(config.patch_size) != (1, PATCH, PATCH):
            raise UsageError(f"{path}: its patches are {config.patch_size!r} latents, not 1 by {PATCH} by {PATCH}.")
        latents = cls.latents_of(vae)
        require_places(config.max_size, (1, latents, latents), "max_size", path)
        require_width_of(conditioner.target_dim, config.text_embed_dim, "its text conditioner", path)
        require_width_of(parts.text_encoder.config.hidden_size, conditioner.source_dim, "its text encoder", path)
        require_words(parts.tokenizer, parts.text_encoder, path)
        require_vocabulary(parts.t5_tokenizer, conditioner.target_vocab_size, "text conditioner", path)
        if conditioner.min_sequence_length < _LONGEST:
            raise UsageError(
                f"{path}: the text conditioner fills prompts up to {conditioner.min_sequence_length} tokens "
                f"(min_sequence_length), and that of an Anima to {_LONGEST}."
            )

    def schedule(self) -> Schedule:
        """Return the process of its scheduler."""
        return self._schedule

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return what the text conditioner makes of prompts (N, 512, D), and which of it is of their tokens."""
        return in_turn(self._embed, prompts)

    def _embed(self, prompts: Sequence[str]) -> Conditioning:
        words, pieces = self.tokenizers
        states, looked_at = self._read(cut(words, prompts, _LONGEST))
        numbers, own = filled(cut(pieces, prompts, _LONGEST), self.device)
        context = self._conditioner(
            source_hidden_states=states.to(self._conditioner.dtype),
            target_input_ids=numbers,
            target_attention_mask=own,
            source_attention_mask=looked_at,
        )
        return Conditioning(context.to(self.denoiser.dtype), mask=pad(own, (0, context.shape[1] - own.shape[1])))

    def _read(self, rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the text encoder's last states (N, L, D) of rows of tokens, and which of them are looked at.

        A row without tokens has one state, of zeros. It is looked at, and nothing comes of it, as where diffusers masks
        it; but an attention that may look at nothing gives NaN in some releases of torch.
        """
        numbers, mask = filled([row or [_NOTHING] for row in rows], self.device)
        said = torch.tensor([[[bool(row)]] for row in rows], device=self.device)
        return self._encoder(input_ids=numbers, use_cache=False).last_hidden_state * said, mask

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the transformer's output for one frame, no pixel of which is padding."""
        # Rounded to the type of the latents as a number of 1,000, which is how the pipeline passes it.
        time = (noise_share(self._schedule, t) * 1000).to(x_t.dtype) / 1000
        found = self.denoiser(
            hidden_states=x_t.unsqueeze(2),
            timestep=time,
            encoder_hidden_states=cond.context,
            padding_mask=x_t.new_zeros(1, 1, *x_t.shape[-2:]),
        ).sample
        return found.squeeze(2)

    def row_values(self) -> int:
        """Return those of the transformer over the tokens of picture and prompt, as if both were as wide."""
        config = self.denoiser.config
        tokens = (self.latent_shape[-1] // PATCH) ** 2 + _LONGEST
        return sequential_values(tokens, config.num_attention_heads * config.attention_head_dim, _RATIO)

    def text_values(self) -> Mapping[str, int]:
        """Return those of the language model; the conditioner is smaller."""
        return {"text_encoder": reading_values(self._encoder.config, _LONGEST)}

    def token(self, word: str) -> Token:
        """Raise UsageError: the word's embedding is one of a language model, which none here was trained as."""
        raise UsageError(f"{word!r} cannot be trained as a word: Anima reads prompts with a language model.")


def _schedule(config: Mapping[str, Any]) -> Schedule:
    if config.get("use_dynamic_shifting"):
        raise UsageError("The base's scheduler shifts its times by size, and an Anima has one shift for all sizes.")
    return flow_of(config, _TIMES, Shift(0.0))


NETWORK = Anima
