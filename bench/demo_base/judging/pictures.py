"""Pictures of the demo base: loading it, seeded generation, and grids as PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from owf.core.model.base import BaseChoice, load_base
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.sample import Sampling, generate

if TYPE_CHECKING:
    from owf.core.model.backends.diffusers import DiffusersDenoiser

SAMPLING = Sampling(steps=25, guidance_scale=4.0)
BATCH = 32
"""How the base is drawn from when it is judged, and pictures at once; demo/README.md says the guidance."""


def load_demo_base(folder: Path, device: str = "cpu") -> "DiffusersDenoiser":
    """Return the base in float32 on a device, without a network."""
    choice = BaseChoice(str(folder), "folder")
    return load_base(choice, torch.device(device), torch.float32, offline=True)


def draw(denoiser: "DiffusersDenoiser", prompts: Sequence[str], seed: int) -> torch.Tensor:
    """Return one uint8 picture per prompt, (N, 3, 96, 96); picture i has the seed `seed + i`."""
    batches = []
    for first in range(0, len(prompts), BATCH):
        part = prompts[first : first + BATCH]
        seeds = range(seed + first, seed + first + len(part))
        batches.append(generate(denoiser, part, seeds, SAMPLING, Batching(BATCH))[0])
    return torch.cat(batches)


def write_grid(pictures: torch.Tensor, columns: int, path: Path) -> None:
    """Write uint8 pictures (N, 3, H, W) row by row, with a thin white border."""
    from PIL import Image

    padded = torch.nn.functional.pad(pictures, (1, 1, 1, 1), value=255)
    rows = [torch.cat(list(row), dim=2) for row in padded.split(columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = Image.fromarray(torch.cat(rows, dim=1).permute(1, 2, 0).numpy())
    grid.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
