"""The diffusers library behind the Denoiser protocol; the only file that runs models with it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from logging import CRITICAL
from typing import Any

import torch
from torch import nn

from ...errors import Setting, UsageError
from ..batch import Batching
from ..denoiser import Conditioning, Token, overflow
from ..schedule import Schedule
from .parts import latent_side
from .scheduler import schedule_of


class DiffusersDenoiser:
    """A Stable Diffusion 1 or 2 pipeline's parts (see `parts.Parts`) as a Denoiser (see `denoiser.Denoiser`)."""

    def __init__(self, pipeline: Any, name: str, family: str) -> None:
        self.name, self.family = name, family
        self._vae, self._unet, self._text_encoder = pipeline.vae, pipeline.unet, pipeline.text_encoder
        self._tokenizer = pipeline.tokenizer
        for module in (self._vae, self._unet, self._text_encoder):
            module.eval().requires_grad_(False)
        self.components: Mapping[str, nn.Module] = {"unet": self._unet, "text_encoder": self._text_encoder}
        side = latent_side(self._unet.config)
        assert side is not None, "require_fit refuses bases without"
        self.latent_shape = (self._unet.config.in_channels, side, side)
        self.resolution = side * 2 ** (len(self._vae.config.block_out_channels) - 1)
        self.schedule: Schedule = schedule_of(pipeline.scheduler.config)
        self._digest: str | None = None

    @property
    def device(self) -> torch.device:
        """Where the UNet's weights are."""
        return self._unet.device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the UNet's weights."""
        return self._unet.dtype

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return the text encoder's last hidden states (N, 77, D); longer prompts are cut as in every host."""
        return self.embed_text(prompts)

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return what `encode_text` returns, with gradients."""
        tokens = self._tokenizer(
            list(prompts),
            padding="max_length",
            max_length=self._tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        return Conditioning(self._text_encoder(tokens.input_ids.to(self.device))[0])

    @torch.no_grad()
    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        """Return the posterior's mean, scaled, of uint8 images (N, 3, H, W)."""
        pixels = (images.to(self.device).float() / 127.5 - 1).to(self.dtype)
        parts = self._vae_batch().run(len(pixels), lambda rows: self._vae.encode(pixels[rows]).latent_dist.mean)
        return torch.cat(parts) * self._vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return uint8 images (N, 3, H, W) on the CPU; raise InvalidError where the decoder gives NaN."""
        latents = latents.to(self.device, self.dtype) / self._vae.config.scaling_factor
        parts = self._vae_batch().run(len(latents), lambda rows: self._pixels(latents[rows]))
        return torch.cat(parts)

    def _pixels(self, latents: torch.Tensor) -> torch.Tensor:
        pixels = self._vae.decode(latents).sample.float().cpu()
        require_finite(pixels, self.dtype)
        return ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)

    def _vae_batch(self) -> Batching:
        # The autoencoder works at full resolution: one 512 px image needs more memory than eight UNet rows.
        return Batching(max(1, min(16, 2**16 // self.resolution**2)))

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the UNet's output for x_t (N, C, h, w) at timesteps t (N,), with gradients."""
        return self._unet(x_t, t, encoder_hidden_states=cond.context).sample

    predict = torch.no_grad()(forward)
    """The same without gradients."""

    def checkpoint_gradients(self, on: bool) -> None:
        """Turn gradient checkpointing of the UNet on or off; it works in training mode only."""
        (self._unet.enable_gradient_checkpointing if on else self._unet.disable_gradient_checkpointing)()
        self._unet.train(on)

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

    def digest(self) -> str:
        """Return the SHA-256 over configurations, vocabulary, schedule and weights, computed once.

        Must be called before an adapter changes the weights.
        """
        if self._digest is None:
            modules = [self._unet, self._text_encoder, self._vae]
            self._digest = _digest(modules, self._tokenizer, self.schedule)
        return self._digest


def require_finite(pixels: torch.Tensor, dtype: torch.dtype) -> None:
    """Raise InvalidError if the decoder overflowed: rounding to bytes would hide it."""
    if not torch.isfinite(pixels).all():
        raise overflow("The decoded images contain NaN or infinite values", dtype)


def _digest(modules: Sequence[Any], tokenizer: Any, schedule: Schedule) -> str:
    sha = hashlib.sha256(schedule.prediction_type.encode() + schedule.signal.numpy().tobytes())
    sha.update(json.dumps([sorted(tokenizer.get_vocab().items()), tokenizer.model_max_length]).encode())
    for module in modules:
        sha.update(type(module).__name__.encode() + _settings(module).encode())
        for name, tensor in sorted(module.state_dict().items()):
            sha.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}".encode())
            sha.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return sha.hexdigest()


def _settings(module: Any) -> str:
    """Return a model's configuration as text, without where it was loaded from and by which version."""
    config = module.config.to_dict() if hasattr(module.config, "to_dict") else dict(module.config)
    volatile = ("architectures", "transformers_version", "dtype", "torch_dtype")
    kept = {name: value for name, value in config.items() if name not in volatile and not name.startswith("_")}
    return json.dumps(kept, sort_keys=True, default=str)


def silence() -> None:
    """Turn off the libraries' own progress bars and notices: the caller shows its own."""
    import transformers
    from diffusers.utils import logging

    logging.set_verbosity(CRITICAL)  # what fails is raised; a missing fp16 variant is no error of ours
    logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
