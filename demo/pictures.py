"""Pictures of the demo base: seeded generation through diffusers, and grids as PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

STEPS = 25
GUIDANCE = 4.0
BATCH = 32


def load_pipeline(folder: Path) -> "StableDiffusionPipeline":
    """Return the base in float32 with a DDIM sampler, without a network."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, local_files_only=True)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(pipeline: "StableDiffusionPipeline", prompts: Sequence[str], seed: int) -> torch.Tensor:
    """Return one (3, 64, 64) picture in [0, 1] per prompt; picture i starts from the noise of seed + i."""
    batches = []
    for first in range(0, len(prompts), BATCH):
        part = list(prompts[first : first + BATCH])
        noise = [torch.Generator().manual_seed(seed + first + i) for i in range(len(part))]
        output = pipeline(part, num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=noise, output_type="pt")
        batches.append(output.images)  # pyright: ignore[reportAttributeAccessIssue]
    return torch.cat(batches)


def write_grid(pictures: torch.Tensor, columns: int, path: Path) -> None:
    """Write (N, 3, H, W) pictures row by row, with a thin white border."""
    from PIL import Image

    padded = torch.nn.functional.pad(pictures, (1, 1, 1, 1), value=1.0)
    rows = [torch.cat(list(row), dim=2) for row in padded.split(columns)]
    pixels = (torch.cat(rows, dim=1) * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(path, optimize=True)
