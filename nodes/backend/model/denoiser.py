"""ComfyUI's MODEL, CLIP and VAE as a Denoiser, whatever the graph did to them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ....core.errors import InvalidError, UsageError
from ....core.model.diffusion.denoiser import Conditioning
from ....core.model.diffusion.schedule import Schedule
from ....core.progress import SILENT, Progress
from .. import host
from . import components
from .conditions import HostConditioning, encode, together
from .digest import any_patched, digest_of
from .families import family_of
from .schedule import noise_levels, prediction, schedule_of, to_host

_VAE_PIXELS = 2**16
"""Pixels that go through the autoencoder between two looks at the cancel button: 16 images of 64, one of 256."""


@dataclass(frozen=True)
class Pair:
    """The two parts of a checkpoint that a LoRA or another patch changes."""

    model: Any
    """MODEL: a ModelPatcher."""
    clip: Any
    """CLIP."""


class ComfyDenoiser:
    """A base MODEL, CLIP and VAE as a Denoiser (`core.model.diffusion.denoiser`), able to stand in for a tuned pair.

    Weights are loaded through ComfyUI's memory management before every use, so models may be offloaded between.
    `on_images` hears of images that were decoded, `progress` of weights' bytes that were read for the digest.
    """

    def __init__(
        self,
        base: Pair,
        vae: Any,
        resolution: int | None = None,
        on_images: Callable[[torch.Tensor], None] = lambda images: None,
        progress: Progress = SILENT,
    ) -> None:
        for part, name in ((base.model, "MODEL"), (base.clip, "CLIP"), (vae, "VAE")):
            if part is None:
                raise UsageError(f"The {name} input is empty, as where a checkpoint has none: connect a {name} loader.")
        self.base, self.live, self._vae = base, base, vae
        kind = family_of(base.model.model)
        self.family, self.name = kind.name, kind.title
        # The base's modules under the names that LoRA files use.
        self.components: Mapping[str, nn.Module] = components.of(base.model.model, base.clip, kind.name)
        self.made_for = kind.resolution
        self.resize(resolution or kind.resolution)
        self._on_images, self._progress = on_images, progress
        self._digest: str | None = None

    def resize(self, side: int) -> None:
        """Be asked about pictures of so many pixels from now on, in latents and at times that go with them.

        Raises UsageError for a side that the VAE does not code.
        """
        self.resolution = side
        self.latent_shape = _latent_shape(self.base.model.model.latent_format, self._vae, side)
        self.schedule: Schedule = schedule_of(self.base.model, self.latent_shape[-1])

    @property
    def device(self) -> torch.device:
        """Where MODEL computes."""
        return self.live.model.load_device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type that MODEL computes in, whichever patches happen to be loaded."""
        return self.live.model.get_model_object("manual_cast_dtype") or self.live.model.model.get_dtype()

    @property
    def clip_skip(self) -> int | None:
        """Return the layer at which CLIP reads prompts, counted from its last, where the graph says so."""
        layer = self.base.clip.layer_idx
        return None if layer is None else -layer

    @property
    def host(self) -> Mapping[str, str]:
        """ComfyUI's version and settings that count."""
        return host.versions()

    @property
    def is_patched(self) -> bool:
        """Return whether the base itself carries patches: then no two audits are on the same one."""
        return any_patched(self.base.model, self.base.clip, self._vae)

    def use(self, pair: Pair) -> None:
        """Answer as `pair` from now on; the graph's own models stay as they are."""
        self.live = pair

    def load_base(self) -> None:
        """Load the base without anybody's patches but its own, so that its weights may be looked at."""
        host.load(self.base.model, self.base.clip.patcher)

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[str]) -> HostConditioning:
        """Return the conditioning of the prompts, one row each, as ComfyUI's own text nodes make it."""
        host.check_interrupt()
        return encode(self.live.model, self.live.clip, prompts, self._blank())

    def encode_guided(self, prompts: Sequence[str], negatives: Sequence[str]) -> HostConditioning:
        """Return the rows of the prompts, then of the negatives; ComfyUI encodes an empty one as any other."""
        return self.encode_text([*prompts, *negatives])

    @torch.no_grad()  # loaders make weights in inference mode, and training leaves that mode
    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        """Return scaled latents (N, C, h, w) of uint8 images (N, 3, H, W)."""
        parts = [self._encode_pixels(chunk) for chunk in images.split(self._vae_rows())]
        return torch.cat(parts).to(self.device)

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return uint8 images (N, 3, H, W) on the CPU; raise InvalidError where the decoder gives NaN."""
        images = torch.cat([self._decode_latents(chunk) for chunk in latents.split(self._vae_rows())])
        self._on_images(images)
        return images

    def predict(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the network's prediction for x_t (N, C, h, w) at timesteps t (N,), in float32."""
        with self._running(len(x_t)) as options:
            if not _is_patched(options):
                return self._predict(x_t, t, cond, options)
            # Patches may ask for the one sigma that a sampler's whole batch has.
            out = torch.empty_like(x_t, dtype=torch.float32)
            for step in t.unique():
                rows = (t == step).nonzero().flatten()
                out[rows] = self._predict(x_t[rows], t[rows], cond.rows(rows), options)
            return out

    def digest(self) -> str:
        """Return the SHA-256 over the base's weights; one of its own for every audit of a base that is patched."""
        if self._digest is None:
            self.load_base()
            self._digest = digest_of(self.base.model, self.base.clip, self._vae, self._progress)
        return self._digest

    def _predict(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning, options: dict[str, Any]) -> torch.Tensor:
        from comfy.samplers import calc_cond_batch

        x, sigma = to_host(self.schedule, x_t, t), self._sigma(t)
        denoised = torch.empty_like(x)
        for rows, entries in together(self.live.model, cond, self._framed(x_t[:1])):
            (part,) = calc_cond_batch(
                self.live.model.model,
                [[{"model_conds": entries, "uuid": None}]],
                self._framed(x[rows]),
                sigma[rows],
                options,
            )
            denoised[rows] = part.view(len(rows), *x.shape[1:])
        return prediction(self.schedule, x, sigma, denoised)

    def _sigma(self, t: torch.Tensor) -> torch.Tensor:
        """Return ComfyUI's noise levels (N,) of timesteps (N,)."""
        return noise_levels(self.schedule, self.base.model.get_model_object("model_sampling"), t.to(self.device))

    def _blank(self) -> torch.Tensor:
        return torch.zeros(1, *self._host_shape())

    @contextmanager
    def _running(self, rows: int) -> Iterator[dict[str, Any]]:
        """Load MODEL, prepare it for `rows` rows as a sampler does, and yield its options; this is undone after."""
        from comfy.model_patcher import create_model_options_clone
        from comfy.patcher_extension import merge_nested_dicts

        host.check_interrupt()
        patcher = self.live.model
        self._load(patcher, rows)
        options = create_model_options_clone(patcher.model_options)
        transformer = options.setdefault("transformer_options", {})
        for name in ("wrappers", "callbacks"):
            merge_nested_dicts(transformer.setdefault(name, {}), getattr(patcher, name), copy_dict1=False)
        patcher.pre_run()
        try:
            yield options
        finally:
            patcher.cleanup()

    def _load(self, patcher: Any, rows: int) -> None:
        host.load(patcher, shapes=[(count, *self._host_shape()) for count in (rows, 1)])

    def _encode_pixels(self, images: torch.Tensor) -> torch.Tensor:
        host.check_interrupt()
        pixels = images.movedim(1, -1).float() / 255
        # A VAE of videos takes several pictures for the frames of one.
        parts = pixels.split(1) if self._makes_videos else [pixels]
        latents = self.base.model.model.process_latent_in(torch.cat([self._vae.encode(part) for part in parts]))
        return latents.squeeze(2) if latents.ndim == 5 else latents

    def _decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        host.check_interrupt()
        pixels = self._vae.decode(self.base.model.model.process_latent_out(self._framed(latents.float())))
        if not torch.isfinite(pixels).all():
            raise InvalidError(self._overflow(latents))
        pixels = pixels.reshape(len(latents), *pixels.shape[-3:])
        return (pixels.movedim(-1, 1)[:, :3] * 255).round().clamp(0, 255).to(torch.uint8).cpu()

    def _overflow(self, latents: torch.Tensor) -> str:
        """Return what is known of images that are not finite: where it began, and what would help if anything does."""
        if not torch.isfinite(latents).all():
            return f"The drawn latents contain NaN or infinite values; MODEL computes in {_name(self.dtype)}."
        computes = (
            f"The decoded images contain NaN or infinite values; the VAE computes in {_name(self._vae.vae_dtype)}"
        )
        return f"{computes}." if self._vae.vae_dtype == torch.float32 else f"{computes}: start ComfyUI with --fp32-vae."

    def _vae_rows(self) -> int:
        return max(1, min(16, _VAE_PIXELS // self.resolution**2))

    def _framed(self, latents: torch.Tensor) -> torch.Tensor:
        """Return latents (N, C, h, w) as the network takes them: image models made of video ones want a frame."""
        return latents.unsqueeze(2) if self._makes_videos else latents

    @property
    def _makes_videos(self) -> bool:
        return self.base.model.model.latent_format.latent_dimensions == 3

    def _host_shape(self) -> tuple[int, ...]:
        return tuple(self._framed(torch.empty(1, *self.latent_shape)).shape[1:])


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _latent_shape(latent_format: Any, vae: Any, resolution: int) -> tuple[int, int, int]:
    if latent_format.latent_dimensions not in (2, 3):
        raise UsageError("MODEL does not make images, so there is nothing to audit.")
    factor = vae.spacial_compression_decode()
    if resolution % factor:
        raise UsageError(f"resolution {resolution} is not a multiple of {factor}, the VAE's factor; choose another.")
    return (latent_format.latent_channels, resolution // factor, resolution // factor)


def _is_patched(options: dict[str, Any]) -> bool:
    """Return whether anything besides weights changes what MODEL does."""
    plain = {"transformer_options", "sampler_cfg_function", "sampler_post_cfg_function", "sampler_pre_cfg_function"}
    return any(options["transformer_options"].values()) or bool(set(options) - plain)
