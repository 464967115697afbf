"""The demo base's second stage: a UNet2DConditionModel of Stable Diffusion 1's shape and its text encoder."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .fashion import Scene, caption
from .latents import Latents
from .stage import Stage, run_stage, step_generators
from .text import DETAIL_SHARES, EMPTY_SHARE, WIDTH, all_captions, build_text_encoder, token_ids

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer

STAGE = Stage("diffusion", steps=5600, peak_rate=1e-3)
BATCH = 64


def build_unet() -> "UNet2DConditionModel":
    """Return an untrained UNet for (N, 4, 8, 8) latents and (N, 77, 32) caption embeddings."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(3)
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64, 64, 64),
        layers_per_block=2,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    )


def build_scheduler() -> "DDPMScheduler":
    """Return Stable Diffusion 1's training noise schedule (DDPM, scaled linear, epsilon)."""
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    return DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)


def train_diffusion(
    latents: Latents, scale: float, tokenizer: "CLIPTokenizer", work: Path, logs: Path
) -> tuple["UNet2DConditionModel", "CLIPTextModel"]:
    """Return the trained UNet and text encoder."""
    unet, text = build_unet(), build_text_encoder()
    models = nn.ModuleDict({"unet": unet, "text": text})
    run_stage(STAGE, models, _Loss(models, latents, scale, tokenizer), work, logs)
    models.requires_grad_(False).eval()
    return unet, text


def draw_captions(scenes: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Return one caption per (label, colour, background) row, with random detail or empty."""
    details = rng.choice(len(DETAIL_SHARES), size=len(scenes), p=DETAIL_SHARES)
    empty = rng.random(len(scenes)) < EMPTY_SHARE
    drawn = zip(scenes, details, empty, strict=True)
    return ["" if e else caption(Scene(*(int(i) for i in s)), int(d)) for s, d, e in drawn]


class _Loss:
    """The denoising loss of one step, a function of the step number and the models' weights."""

    def __init__(self, models: nn.ModuleDict, latents: Latents, scale: float, tokenizer: "CLIPTokenizer") -> None:
        self.models, self.latents, self.scale = models, latents, scale
        captions = all_captions()
        self.rows = {text: row for row, text in enumerate(captions)}
        self.ids = token_ids(tokenizer, captions)
        self.noising = build_scheduler()

    def __call__(self, step: int) -> torch.Tensor:
        rng, generator = step_generators(4, step)
        rows = rng.integers(len(self.latents.mean), size=BATCH)
        x0 = self.latents.sample(rows, generator) * self.scale
        noise = torch.randn(x0.shape, generator=generator)
        # One timestep from each 64th of the schedule: same expectation, less variance.
        spread = (torch.arange(BATCH) + torch.rand(BATCH, generator=generator)) / BATCH
        timesteps = (spread * len(self.noising)).long()
        condition = self._encode(draw_captions(self.latents.scenes[rows], rng))
        noisy = self.noising.add_noise(x0, noise, timesteps)  # pyright: ignore[reportArgumentType]
        return F.mse_loss(self.models["unet"](noisy, timesteps, condition).sample, noise)

    def _encode(self, captions: list[str]) -> torch.Tensor:
        rows = [self.rows[text] for text in captions]
        return self.models["text"](self.ids[rows]).last_hidden_state
