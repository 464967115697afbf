"""Networks over the latents of Qwen-Image's VAE, which Krea 2 has too: it codes videos, of which a picture is one.

Each channel of latents has a mean and a spread of its own, in the VAE's settings. These do not say for which size of
pictures a base was made.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch

from ....errors import UsageError
from .network import Network
from .patches import PATCH


class OnQwenVae(Network):
    """See `Network`."""

    usual_size: int
    """Side in pixels of the pictures that bases of the architecture are made for."""
    codes_videos = True

    def _look_through(self, vae: Any) -> None:
        """Keep the VAE's settings, and the sizes that follow from them."""
        self.vae = vae.config
        self.made_for = _size(self.vae, self.usual_size)
        self.resize(self.made_for)

    def resize(self, side: int) -> None:
        """See `Network.resize`."""
        self.resolution, latents = side, side // _pixels_per_latent(self.vae)
        self.latent_shape = (self.vae.z_dim, latents, latents)

    @property
    def _tokens(self) -> int:
        """Tokens of a picture."""
        return (self.latent_shape[-1] // PATCH) ** 2

    @classmethod
    def require_vae(cls, vae: Any, path: str) -> None:
        """Raise UsageError for a VAE that is not one of colour pictures, normalised by a mean and spread a channel."""
        if getattr(vae, "input_channels", 3) != 3:
            raise UsageError(f"{path}: the VAE takes {vae.input_channels} colour channels instead of 3.")
        for name in ("latents_mean", "latents_std"):
            values: Any = getattr(vae, name, None)
            if not _are_numbers(values, vae.z_dim) or (name == "latents_std" and min(values) <= 0):
                raise UsageError(f"{path}: the VAE's {name} is {values!r}, and a latent has {vae.z_dim} channels.")
        size, each = _size(vae, cls.usual_size), PATCH * _pixels_per_latent(vae)
        if type(size) is not int or size <= 0 or size % each:
            raise UsageError(
                f"{path}: the VAE's sample_size is {size!r}, and pictures have a multiple of {each} pixels."
            )

    @classmethod
    def latents_of(cls, vae: Any) -> int:
        """Return the side in latents of the pictures that a base with a VAE of these settings is made for."""
        return _size(vae, cls.usual_size) // _pixels_per_latent(vae)

    def scaled(self, mean: torch.Tensor) -> torch.Tensor:
        """Return latents (N, C, h, w) of what the VAE gives (N, C, 1, h, w), normalised."""
        mid, spread = self._statistics(mean)
        return (mean.squeeze(2) - mid) / spread

    def unscaled(self, latents: torch.Tensor) -> torch.Tensor:
        """Return what the VAE's decoder takes; the inverse of `scaled`."""
        mid, spread = self._statistics(latents)
        return (latents * spread + mid).unsqueeze(2)

    def _statistics(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and standard deviation (1, C, 1, 1) of the channels."""
        mid, spread = (
            torch.tensor(values, device=like.device, dtype=like.dtype).view(1, -1, 1, 1)
            for values in (self.vae.latents_mean, self.vae.latents_std)
        )
        return mid, spread


def _size(vae: Any, usual: int) -> Any:
    """Return the side of pictures: what a VAE's settings say, as those of published bases do not, or the usual."""
    said = getattr(vae, "sample_size", None)
    return usual if said is None else said


def _pixels_per_latent(vae: Any) -> int:
    return 2 ** len(vae.temperal_downsample)


def _are_numbers(values: object, count: int) -> bool:
    """Return whether a setting is so many finite numbers."""
    if not isinstance(values, Sequence) or len(values) != count:
        return False
    return all(isinstance(value, (int, float)) and math.isfinite(value) for value in values)
