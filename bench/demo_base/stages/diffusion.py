"""The demo base's second stage: a UNet2DConditionModel of Stable Diffusion 1's shape and its text encoder."""

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..world.world import DEPTHS, Scene, caption
from .latents import Latents
from .stage import Run, Stage, run_stage, step_generators
from .text import DEPTH_SHARES, EMPTY_SHARE, WIDTH, all_captions, build_text_encoder, token_ids
from .workers import PARTS

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer

STAGE = Stage("diffusion", steps=4200, peak_rate=2e-3)
BATCH = 64
HEADS = (1, 2, 4, 4)
"""Attention heads of each level (diffusers calls them so). Four of eight channels each took a third more time."""


def build_unet() -> "UNet2DConditionModel":
    """Return an untrained UNet for (N, 4, 12, 12) latents and (N, 77, 48) caption embeddings."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(3)
    return UNet2DConditionModel(
        sample_size=12,
        block_out_channels=(32, 64, 96, 96),
        layers_per_block=2,
        cross_attention_dim=WIDTH,
        attention_head_dim=HEADS,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    )


def build_scheduler() -> "DDPMScheduler":
    """Return Stable Diffusion 1's training noise schedule (DDPM, scaled linear, epsilon)."""
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    return DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)


def train_diffusion(
    latents: Latents, scale: float, tokenizer: "CLIPTokenizer", run: Run
) -> tuple["UNet2DConditionModel", "CLIPTextModel"]:
    """Return the trained UNet and text encoder."""
    unet, text = build_unet(), build_text_encoder()
    unet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - its decorator hides the module
    models = nn.ModuleDict({"unet": unet, "text": text})
    run_stage(STAGE, models, _Loss(models, latents, scale, tokenizer), run)
    models.requires_grad_(False).eval()
    return unet, text


def draw_captions(scenes: list[Scene], rng: np.random.Generator) -> list[str]:
    """Return one caption a scene, of random depth or empty."""
    depths = rng.choice(len(DEPTHS), size=len(scenes), p=DEPTH_SHARES)
    empty = rng.random(len(scenes)) < EMPTY_SHARE
    drawn = zip(scenes, depths, empty, strict=True)
    return ["" if e else caption(scene, DEPTHS[depth]) for scene, depth, e in drawn]


class _Loss:
    """The denoising loss of one part of one step, a function of their numbers and the models' weights."""

    def __init__(self, models: nn.ModuleDict, latents: Latents, scale: float, tokenizer: "CLIPTokenizer") -> None:
        self.models, self.latents, self.scale = models, latents, scale
        captions = all_captions()
        self.rows = {text: row for row, text in enumerate(captions)}
        self.ids = token_ids(tokenizer, captions)
        self.noising = build_scheduler()

    def __call__(self, step: int, part: int) -> torch.Tensor:
        rng, generator = step_generators(4, step, part)
        count = BATCH // PARTS
        rows = rng.integers(len(self.latents.mean), size=count)
        x0 = self.latents.sample(rows, generator) * self.scale
        noise = torch.randn(x0.shape, generator=generator)
        # One timestep from each equal share of the schedule: same expectation, less variance.
        spread = (torch.arange(count) + torch.rand(count, generator=generator)) / count
        timesteps = (spread * len(self.noising)).long()
        condition = self._encode(draw_captions([self.latents.scene(row) for row in rows], rng))
        noisy = self.noising.add_noise(x0, noise, timesteps)  # pyright: ignore[reportArgumentType]
        return F.mse_loss(self.models["unet"](noisy, timesteps, condition).sample, noise)

    def _encode(self, captions: list[str]) -> torch.Tensor:
        rows = [self.rows[text] for text in captions]
        return self.models["text"](self.ids[rows]).last_hidden_state
