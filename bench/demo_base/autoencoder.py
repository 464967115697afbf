"""The demo base's first stage: an AutoencoderKL with Stable Diffusion's factor of 8."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from .fashion import colorize, draw_scene
from .stage import Stage, run_stage, step_generators

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

STAGE = Stage("autoencoder", steps=2000, peak_rate=3e-3, averaging=0.99)
DECODER_STAGE = Stage("decoder", steps=1500, peak_rate=2e-3, averaging=0.99)
BATCH = 16
KL_WEIGHT = 1e-4
EDGE_WEIGHT = 0.5
"""Differences of neighbouring pixels count too: outlines and folds are what tells the classes apart."""


def build_autoencoder() -> "AutoencoderKL":
    """Return an untrained AutoencoderKL: (N, 3, 64, 64) in [-1, 1] <-> (N, 4, 8, 8)."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    torch.manual_seed(1)
    return AutoencoderKL(
        sample_size=64,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=8,
        block_out_channels=(16, 32, 64, 64),  # pyright: ignore[reportArgumentType]
        down_block_types=("DownEncoderBlock2D",) * 4,  # pyright: ignore[reportArgumentType]
        up_block_types=("UpDecoderBlock2D",) * 4,  # pyright: ignore[reportArgumentType]
    )


def train_autoencoder(images: np.ndarray, labels: np.ndarray, work: Path, logs: Path) -> "AutoencoderKL":
    """Return the trained autoencoder with its `scaling_factor` set to 1 / std of the latents."""
    vae = build_autoencoder().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def loss_at(step: int) -> torch.Tensor:
        rng, generator = step_generators(1, step)
        return autoencoder_loss(vae, _draw_pictures(images, labels, BATCH, rng), generator)

    run_stage(STAGE, vae, loss_at, work, logs)
    vae.requires_grad_(False).eval()
    vae.register_to_config(scaling_factor=_scaling_factor(vae, images, labels))
    return vae


def _draw_pictures(images: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator) -> torch.Tensor:
    """Return (count, 3, 64, 64) random train pictures in random scenes, in [-1, 1]."""
    rows = rng.integers(len(images), size=count)
    scenes = [draw_scene(int(labels[i]), rng) for i in rows]
    return colorize(images[rows], scenes, rng) * 2 - 1


def autoencoder_loss(vae, pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return L1 of pixels and of pixel differences plus the weighted KL of the posterior (a scalar)."""
    posterior = vae.encode(pictures).latent_dist
    kl = posterior.kl().mean() / posterior.mean[0].numel()
    return reconstruction_loss(vae, posterior.sample(generator), pictures) + KL_WEIGHT * kl


def reconstruction_loss(vae, latents: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """Return L1 of pixels and of pixel differences between decoded latents and pictures."""
    output = vae.decode(latents).sample
    edges = [F.l1_loss(output.diff(dim=d), pictures.diff(dim=d)) for d in (2, 3)]
    return F.l1_loss(output, pictures) + EDGE_WEIGHT * torch.stack(edges).sum()


def finish_decoder(vae: "AutoencoderKL", images: np.ndarray, labels: np.ndarray, work: Path, logs: Path) -> None:
    """Train the decoder on, in place. The encoder keeps still, so latents already made stay valid."""
    vae.decoder.requires_grad_(True)

    def loss_at(step: int) -> torch.Tensor:
        rng, generator = step_generators(7, step)
        pictures = _draw_pictures(images, labels, BATCH, rng)
        with torch.no_grad():
            posterior = vae.encode(pictures).latent_dist  # pyright: ignore[reportAttributeAccessIssue]
        return reconstruction_loss(vae, posterior.sample(generator), pictures)

    run_stage(DECODER_STAGE, vae, loss_at, work, logs)
    vae.requires_grad_(False)


@torch.no_grad()
def _scaling_factor(vae, images: np.ndarray, labels: np.ndarray) -> float:
    rng, _ = step_generators(2, 0)
    pictures = _draw_pictures(images, labels, 1000, rng)
    return round(1 / float(vae.encode(pictures).latent_dist.mean.std()), 5)
