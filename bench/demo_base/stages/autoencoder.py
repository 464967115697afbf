"""The demo base's first stage: an AutoencoderKL with Stable Diffusion's factor of 8."""

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from ..world.drawing import SIZE, colorize, compose, relief
from ..world.textures import draw_crop, draw_texture, photographs
from ..world.world import draw_scene
from .isometry import make_isometric
from .stage import Run, Stage, run_stage, step_generators
from .workers import PARTS

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

STAGE = Stage("autoencoder", steps=2000, peak_rate=6e-4, averaging=0.995)
"""Twice that rate learns half as much: it breaks the first weights before they are of use."""
DECODER_STAGE = Stage("decoder", steps=600, peak_rate=4e-4, averaging=0.99)
BATCH = 16
CROP, WHOLE_EVERY = 64, 8
"""Most steps see squares of this many pixels, which cost less than half; every eighth sees whole pictures."""
WORLD_SHARE = 0.65
"""How many pictures are of the world. The others show what it has no words for, which concepts are made of."""
PHOTO_SHARE, TEXTURE_SHARE = 0.2, 0.1
"""How many of the others are photographs; or textures from edge to edge. The rest are clothes in random textures."""
TEXTURED_GROUND_SHARE = 0.3
"""How many of the clothes in random textures lie on another texture."""
KL_WEIGHT = 1e-4
"""Of the divergence from a normal distribution beside the pictures: it only keeps latents from growing."""
EDGE_WEIGHT = 0.75
"""Differences of neighbouring pixels count too: outlines and folds are what tells the classes apart."""


def build_autoencoder() -> "AutoencoderKL":
    """Return an untrained AutoencoderKL: (N, 3, 96, 96) in [-1, 1] <-> (N, 4, 12, 12)."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    torch.manual_seed(1)
    vae = AutoencoderKL(
        sample_size=SIZE,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=8,
        block_out_channels=(16, 32, 64, 128),  # pyright: ignore[reportArgumentType]
        down_block_types=("DownEncoderBlock2D",) * 4,  # pyright: ignore[reportArgumentType]
        up_block_types=("UpDecoderBlock2D",) * 4,  # pyright: ignore[reportArgumentType]
    )
    make_isometric(vae)
    return vae


class Pictures:
    """What the autoencoder learns from: clothes of the world, clothes in random textures, textures, photographs."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Take Fashion-MNIST's grey pictures (N, 28, 28) and their labels."""
        self.images, self.labels = images, labels
        self.photographs = photographs()

    def draw(self, count: int, rng: np.random.Generator) -> torch.Tensor:
        """Return (count, 3, 96, 96) random pictures in [-1, 1]."""
        known = round(count * WORLD_SHARE)
        parts = [self.of_world(known, rng), *(self._other(rng)[None] for _ in range(count - known))]
        return torch.cat(parts) * 2 - 1

    def of_world(self, count: int, rng: np.random.Generator) -> torch.Tensor:
        """Return (count, 3, 96, 96) clothes in random scenes, in [0, 1]."""
        rows = rng.integers(len(self.images), size=count)
        return colorize(self.images[rows], [draw_scene(int(self.labels[i]), rng) for i in rows], rng)

    def _other(self, rng: np.random.Generator) -> torch.Tensor:
        kind = rng.random()
        if kind < PHOTO_SHARE:
            return draw_crop(self.photographs, rng)
        if kind < PHOTO_SHARE + TEXTURE_SHARE:
            return draw_texture(rng)
        gray = self.images[rng.integers(len(self.images))][None]
        flat = torch.from_numpy(rng.uniform(0, 1, (3, 1, 1)).astype(np.float32))
        ground = draw_texture(rng) if rng.random() < TEXTURED_GROUND_SHARE else flat
        return compose(*relief(gray), draw_texture(rng), torch.tensor(rng.uniform(0.5, 0.8)).float(), ground)[0]


def train_autoencoder(pictures: Pictures, run: Run) -> "AutoencoderKL":
    """Return the trained autoencoder with its `scaling_factor` set to 1 / std of the latents."""
    vae = build_autoencoder()

    def loss_at(step: int, part: int) -> torch.Tensor:
        rng, generator = step_generators(1, step, part)
        drawn = pictures.draw(BATCH // PARTS, rng)
        return autoencoder_loss(vae, crop(drawn, rng) if step % WHOLE_EVERY else drawn, generator)

    run_stage(STAGE, vae, loss_at, run)
    vae.requires_grad_(False).eval()
    vae.register_to_config(scaling_factor=_scaling_factor(vae, pictures))
    return vae


def crop(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Return a square of CROP pixels of each picture, at random places."""
    places = rng.integers(SIZE - CROP + 1, size=(len(pictures), 2))
    squares = zip(pictures, places, strict=True)
    return torch.stack([picture[:, y : y + CROP, x : x + CROP] for picture, (y, x) in squares])


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


def finish_decoder(vae: "AutoencoderKL", pictures: Pictures, run: Run) -> None:
    """Train the decoder on, in place. The encoder keeps still, so latents already made stay valid."""
    vae.decoder.requires_grad_(True)

    def loss_at(step: int, part: int) -> torch.Tensor:
        rng, generator = step_generators(7, step, part)
        drawn = pictures.draw(BATCH // PARTS, rng)
        with torch.no_grad():
            posterior = vae.encode(drawn).latent_dist  # pyright: ignore[reportAttributeAccessIssue]
        return reconstruction_loss(vae, posterior.sample(generator), drawn)

    run_stage(DECODER_STAGE, vae, loss_at, run)
    vae.requires_grad_(False)


@torch.no_grad()
def _scaling_factor(vae, pictures: Pictures) -> float:
    rng, _ = step_generators(2, 0)
    drawn = pictures.of_world(1000, rng) * 2 - 1
    means = [vae.encode(part).latent_dist.mean for part in drawn.split(50)]
    return round(1 / float(torch.cat(means).std()), 5)
