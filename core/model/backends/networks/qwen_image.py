"""Qwen-Image: a transformer with a stream for the picture and one for the last states of a Qwen2.5-VL.

ArXiv 2508.02324.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ....errors import UsageError
from ...diffusion.denoiser import Conditioning, Token
from ...diffusion.schedule import Schedule
from ..activations import sequential_values
from ..flow import by_size, flow_of
from ..parts import require_angles_of, require_channels_of, require_width_of, require_words
from .described import AFTER, BEFORE, DROPPED, cut, filled, require_template
from .network import in_turn, noise_share, reading_values
from .on_qwen_vae import OnQwenVae
from .patches import PATCH, packed, unpacked

_TIMES = 10_000
"""Timesteps of its process, as many as ComfyUI lists sigmas of."""
_LONGEST = 512
"""Tokens of a prompt and what its template puts after it, as diffusers' pipeline tells the transformer."""
_CUT = 1024
"""Tokens at which the text, all but what is dropped of it, is cut before it is read."""
_NOTHING = " "
"""What guidance leads away from where no negative prompt is said: Qwen's own examples have a space."""
_RATIO = 4
"""How many times as wide as its tokens a feed-forward is."""
_VARIANTS = {
    "zero_cond_t": "edits pictures",
    "use_additional_t_cond": "takes pictures apart into layers",
    "use_layer3d_rope": "takes pictures apart into layers",
    "guidance_embeds": "is told guidance",
}
"""Settings of transformers that Qwen-Image has not -> what one with such does."""


class QwenImage(OnQwenVae):
    """See `Network`."""

    usual_size = 1328
    told: Mapping[str, str] = {"guided prediction": "each token as long as with the prompt alone"}

    def __init__(self, parts: Any) -> None:
        self.denoiser, self._encoder = _placed(parts.transformer), parts.text_encoder
        self.components: Mapping[str, nn.Module] = {
            "transformer": parts.transformer,
            "text_encoder": parts.text_encoder,
        }
        self.device: torch.device = parts.transformer.device
        self.tokenizers = (parts.tokenizer,)
        self._scheduler: Mapping[str, Any] = parts.scheduler.config
        self._look_through(parts.vae)
        self.options = json.dumps([_LONGEST, _CUT, _NOTHING, BEFORE, AFTER, self.resolution, dict(self.told)])

    def resize(self, side: int) -> None:
        """See `Network.resize`."""
        super().resize(side)
        self._schedule = flow_of(self._scheduler, _TIMES, by_size(self._scheduler, self._tokens))

    @classmethod
    def require_fit(cls, parts: Any, path: str) -> None:
        """Raise UsageError where the parts do not make a text-to-image model that can be asked for its predictions."""
        config, vae, encoder = parts.transformer.config, parts.vae.config, parts.text_encoder.config.text_config
        for setting, what in _VARIANTS.items():
            if config.get(setting):
                raise UsageError(
                    f"{path}: the transformer {what} ({setting}); audits run on models that draw from text alone."
                )
        cls.require_vae(vae, path)
        require_angles_of(config.axes_dims_rope, config.attention_head_dim, path)
        channels = PATCH**2 * vae.z_dim
        require_channels_of(config.in_channels, PATCH**2 * parts.transformer.out_channels, channels, path)
        require_width_of(encoder.hidden_size, config.joint_attention_dim, "its text encoder", path)
        require_words(parts.tokenizer, parts.text_encoder, path)
        require_template(parts.tokenizer, path)

    def schedule(self) -> Schedule:
        """Return the process of its scheduler, shifted for pictures of its size."""
        return self._schedule

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return the text encoder's last hidden states (N, L, D), and which are of prompts."""
        return in_turn(self._embed, prompts)

    def _embed(self, prompts: Sequence[str]) -> Conditioning:
        rows = cut(self.tokenizers[0], [f"{BEFORE}{prompt}{AFTER}" for prompt in prompts], _CUT + DROPPED)
        numbers, mask = filled([row[: DROPPED + _LONGEST] for row in rows], self.device)
        # Without the layer after it, whose words nobody asks for
        found = self._encoder.model(input_ids=numbers, use_cache=False).last_hidden_state
        return Conditioning(found[:, DROPPED:], mask=mask[:, DROPPED:])

    def embed_guided(self, prompts: Sequence[str], negatives: Sequence[str]) -> Conditioning:
        """Return the rows of the prompts, then those of what guidance leads away from: a space for no prompt at all."""
        return self.embed_text([*prompts, *(negative or _NOTHING for negative in negatives)])

    def guided(self, with_prompt: torch.Tensor, without: torch.Tensor, scale: float) -> torch.Tensor:
        """Return what guidance makes of two predictions (N, C, h, w): each token as long as with the prompt alone."""
        mixed = packed(super().guided(with_prompt, without, scale))
        lengths = packed(with_prompt).norm(dim=-1, keepdim=True) / mixed.norm(dim=-1, keepdim=True)
        return unpacked(mixed * lengths, with_prompt.shape[-2] // PATCH, with_prompt.shape[-1] // PATCH)

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the transformer's output, in the shape of the latents."""
        height, width = x_t.shape[-2] // PATCH, x_t.shape[-1] // PATCH
        # Rounded to the type of the latents as a number of 1,000, which is how the pipeline passes it.
        time = (noise_share(self._schedule, t) * 1000).to(x_t.dtype) / 1000
        found = self.denoiser(
            hidden_states=packed(x_t),
            timestep=time,
            encoder_hidden_states=cond.context,
            encoder_hidden_states_mask=cond.mask,
            img_shapes=[[(1, height, width)]] * len(x_t),
        ).sample
        return unpacked(found, height, width)

    def row_values(self) -> int:
        """Return those of the transformer over the tokens of picture and prompt."""
        config = self.denoiser.config
        tokens = (self.latent_shape[-1] // PATCH) ** 2 + _LONGEST
        return sequential_values(tokens, config.num_attention_heads * config.attention_head_dim, _RATIO)

    def text_values(self) -> Mapping[str, int]:
        """Return those of the language model."""
        return {"text_encoder": reading_values(self._encoder.config.text_config, _LONGEST + DROPPED)}

    def token(self, word: str) -> Token:
        """Raise UsageError: the word's embedding is one of a language model, which none here was trained as."""
        raise UsageError(f"{word!r} cannot be trained as a word: Qwen-Image reads prompts with a language model.")


def _placed(transformer: Any) -> Any:
    """Return a transformer that knows the angles of places, which it keeps beside its weights: no loader makes them."""
    places = transformer.pos_embed
    if places.pos_freqs.is_meta and transformer.device.type != "meta":
        with torch.device("cpu"):
            transformer.pos_embed = type(places)(places.theta, places.axes_dim, places.scale_rope)
    return transformer


NETWORK = QwenImage
