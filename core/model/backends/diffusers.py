"""The diffusers library behind the Denoiser protocol; the only file that runs models with it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from logging import CRITICAL
from typing import Any

import torch
from torch import nn

from ... import families
from ..diffusion.batch import Batching
from ..diffusion.denoiser import Conditioning, Token, overflow
from ..diffusion.schedule import Schedule
from ..memory import AS_LOADED, Keeping
from .kept_as_stored import plain_state, widen_for
from .networks import Network, network_named
from .offload import Turns, offload_layers, tile_vae
from .quantize import ROUNDING, quantize


class DiffusersDenoiser:
    """A pipeline's parts (see `parts.Parts`) as a Denoiser (see `denoiser.Denoiser`)."""

    def __init__(self, parts: Any, name: str, family: str, clip_skip: int | None = None) -> None:
        """Take the layer at which prompts are read, counted from the last; None for the usual one."""
        pipeline = families.get(family).pipeline
        assert pipeline is not None, "only bases of families that audits run on are loaded"
        self.name, self.family = name, family
        self._network: Network = network_named(pipeline.network)(parts)
        self.clip_skip = clip_skip
        if clip_skip is not None:
            self._network.skip_layers(clip_skip)
        self._vae = parts.vae
        self.components: Mapping[str, nn.Module] = self._network.components
        for module in (self._vae, *self.components.values()):
            module.eval().requires_grad_(False)
        self.made_for = self._network.made_for
        self._take_sizes()
        self._own_schedule = self.schedule
        self._digest: str | None = None
        files = {f"{title} read from": file for title, file in getattr(parts, "own_files", {}).items()}
        self.host: dict[str, str] = {**self._network.told, **files}
        self.told_in_training: Mapping[str, str] = self._network.told_in_training

    @property
    def device(self) -> torch.device:
        """Where it computes: its weights may wait elsewhere until they are asked."""
        return self._network.device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the denoiser's weights."""
        return self._network.denoiser.dtype

    def resize(self, side: int) -> None:
        """Be asked about pictures of so many pixels from now on, in latents and at times that go with them."""
        self._network.resize(side)
        self._take_sizes()

    def _take_sizes(self) -> None:
        network = self._network
        self.latent_shape, self.resolution = network.latent_shape, network.resolution
        self.schedule: Schedule = network.schedule()

    def keep(self, device: torch.device, keeping: Keeping) -> None:
        """Let the model compute on a device, with its weights kept in some way; to be called once."""
        parts = [self._vae, *self.components.values()]
        if keeping.tile:
            tile_vae(self._vae, keeping.tile)
        widen_for(device, parts)
        if keeping.quantize != "none":  # before anything is moved: what is rounded takes less room
            unrounded = self.digest()
            quantize(self.components.values(), keeping)
            self._digest = hashlib.sha256(f"{unrounded}|{keeping.quantize}|{ROUNDING}".encode()).hexdigest()
        if keeping.offload == "model":
            Turns(parts, device)
        elif keeping.offload == "group":
            offload_layers(parts, device)
        else:
            for part in parts:
                part.to(device)
        self._network.device = device
        # Rows of a report's environment, by which results of one way are kept apart from those of another.
        self.host |= {} if keeping == AS_LOADED else {"base kept": keeping.words()}

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return what the denoiser is told of the prompts, one row each."""
        return self.embed_text(prompts)

    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return what `encode_text` returns, with gradients."""
        return self._network.embed_text(prompts)

    @torch.no_grad()
    def encode_guided(self, prompts: Sequence[str], negatives: Sequence[str]) -> Conditioning:
        """Return the rows of the prompts, then those of what guidance leads away from: "" is no prompt at all."""
        return self._network.embed_guided(prompts, negatives)

    @torch.no_grad()
    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        """Return the posterior's mean, scaled, of uint8 images (N, 3, H, W)."""
        pixels = (images.to(self.device).float() / 127.5 - 1).to(self._vae.dtype)
        if self._network.codes_videos:
            pixels = pixels.unsqueeze(2)
        parts = self._vae_batch().run(len(pixels), lambda rows: self._vae.encode(pixels[rows]).latent_dist.mean)
        return self._network.scaled(torch.cat(parts))

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return uint8 images (N, 3, H, W) on the CPU; raise InvalidError where the decoder gives NaN."""
        latents = self._network.unscaled(latents.to(self.device, self._vae.dtype))
        parts = self._vae_batch().run(len(latents), lambda rows: self._pixels(latents[rows]))
        return torch.cat(parts)

    def _pixels(self, latents: torch.Tensor) -> torch.Tensor:
        pixels = self._vae.decode(latents).sample.float().cpu()
        if self._network.codes_videos:
            pixels = pixels.squeeze(2)
        require_finite(pixels, self.dtype)
        return ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)

    def _vae_batch(self) -> Batching:
        # The autoencoder works at full resolution: one 512 px image needs more memory than eight UNet rows.
        return Batching(max(1, min(16, 2**16 // self.resolution**2)))

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the denoiser's output for x_t (N, C, h, w) at timesteps t (N,) as a training asks, with gradients."""
        return self._network.forward_in_training(x_t, t, cond)

    @torch.no_grad()
    def predict(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the denoiser's output for x_t (N, C, h, w) at timesteps t (N,)."""
        return self._network.forward(x_t, t, cond)

    def guided(self, with_prompt: torch.Tensor, without: torch.Tensor, scale: float) -> torch.Tensor:
        """Return what guidance of a scale makes of predictions (N, C, h, w) with the prompt and without."""
        return self._network.guided(with_prompt, without, scale)

    def checkpoint_gradients(self, on: bool) -> None:
        """Turn gradient checkpointing of the denoiser on or off; it works in training mode only."""
        model = self._network.denoiser
        (model.enable_gradient_checkpointing if on else model.disable_gradient_checkpointing)()
        model.train(on)

    def token(self, word: str) -> Token:
        """Return the one token of a word; raise UsageError where it is none or several."""
        return self._network.token(word)

    def digest(self) -> str:
        """Return the SHA-256 over configurations, vocabulary, schedule and weights, computed once.

        The schedule is that of pictures of the size that the model was made for, whatever it is asked about.

        Must be called before an adapter changes the weights.
        """
        if self._digest is None:
            modules = [*self.components.values(), self._vae]
            self._digest = _digest(modules, self._network.tokenizers, self._own_schedule, self._network.options)
        return self._digest


def require_finite(pixels: torch.Tensor, dtype: torch.dtype) -> None:
    """Raise InvalidError if the decoder overflowed: rounding to bytes would hide it."""
    if not torch.isfinite(pixels).all():
        raise overflow("The decoded images contain NaN or infinite values", dtype)


def _digest(modules: Sequence[Any], tokenizers: Sequence[Any], schedule: Schedule, options: str) -> str:
    sha = hashlib.sha256(schedule.prediction_type.encode() + schedule.signal.numpy().tobytes())
    sha.update(options.encode())
    if schedule.terminal:
        sha.update(f"terminal {schedule.terminal!r}".encode())
    for tokenizer in tokenizers:
        sha.update(json.dumps([sorted(tokenizer.get_vocab().items()), tokenizer.model_max_length]).encode())
    for module in modules:
        sha.update(type(module).__name__.encode() + _settings(module).encode())
        for name, tensor in plain_state(module):
            sha.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}".encode())
            content: Any = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
            sha.update(content)
    return sha.hexdigest()


def _settings(module: Any) -> str:
    """Return a model's configuration as text, without where it was loaded from and by which version."""
    config = module.config.to_dict() if hasattr(module.config, "to_dict") else dict(module.config)
    return json.dumps(_lasting(config), sort_keys=True, default=str)


_VOLATILE = ("architectures", "transformers_version", "dtype", "torch_dtype")


def _lasting(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration, and those within it, without what says how it was written and loaded."""
    kept = {name: value for name, value in config.items() if name not in _VOLATILE and not str(name).startswith("_")}
    return {name: _lasting(value) if isinstance(value, Mapping) else value for name, value in kept.items()}


def silence() -> None:
    """Turn off the libraries' own progress bars and notices: the caller shows its own."""
    import transformers
    from diffusers.utils import logging

    logging.set_verbosity(CRITICAL)  # what fails is raised; a missing fp16 variant is no error of ours
    logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
