"""Trains the demo LoRA by plain DreamBooth: `python -m owf.demo.train_lora`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from .concept import CAPTION, read_concept
from .lora import attach, kohya_metadata, write_kohya
from .pictures import load_pipeline
from .stage import step_generators

if TYPE_CHECKING:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

HERE = Path(__file__).parent
NAME = "owf_demo_plain"
STEPS = 400
RATE = 1e-3
BATCH = 4


def train(base: Path, concept: Path, steps: int, rate: float, out: Path, log: Path) -> None:
    """Write the LoRA of the concept's pictures to `out`, and its losses to `log`."""
    pipeline = load_pipeline(base)
    pipeline.unet.requires_grad_(False)
    torch.manual_seed(6)
    updates = attach(pipeline.unet)
    loss_at = concept_loss(pipeline, read_concept(concept))
    optimizer = torch.optim.AdamW(updates.parameters(), lr=rate)
    losses = []
    for step in range(steps):
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    write_kohya(updates, kohya_metadata(out.stem, CAPTION, len(list(concept.glob("*.png"))), steps, rate), out)
    _write_log(losses, log)


def concept_loss(pipeline: "StableDiffusionPipeline", pictures: torch.Tensor) -> Callable[[int], torch.Tensor]:
    """Return loss(step): the denoising error of random concept pictures under the concept's caption."""
    with torch.no_grad():
        posterior = pipeline.vae.encode(pictures * 2 - 1).latent_dist
        context = pipeline.encode_prompt(CAPTION, pictures.device, 1, do_classifier_free_guidance=False)[0]
    schedule = pipeline.scheduler

    def loss(step: int) -> torch.Tensor:
        _, generator = step_generators(6, step)
        rows = torch.randint(len(pictures), (BATCH,), generator=generator)
        x0 = (posterior.mean * pipeline.vae.config.scaling_factor)[rows]
        noise = torch.randn(x0.shape, generator=generator)
        timesteps = torch.randint(len(schedule), (BATCH,), generator=generator)
        noisy = schedule.add_noise(x0, noise, timesteps)
        prediction = pipeline.unet(noisy, timesteps, context.expand(BATCH, -1, -1)).sample
        return F.mse_loss(prediction, noise)

    return loss


def _write_log(losses: list[float], path: Path, every: int = 20) -> None:
    means = [sum(losses[i : i + every]) / len(losses[i : i + every]) for i in range(0, len(losses), every)]
    lines = [f"{min((i + 1) * every, len(losses))},{mean:.5f}" for i, mean in enumerate(means)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["step,loss", *lines]) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=HERE / "base")
    parser.add_argument("--concept", type=Path, default=HERE / "concept", help="folder of the concept's PNG files")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rate", type=float, default=RATE, help="learning rate of AdamW, constant")
    parser.add_argument("--out", type=Path, default=HERE / "lora" / f"{NAME}.safetensors")
    parser.add_argument("--log", type=Path, default=HERE / "logs" / "lora.csv")
    options = parser.parse_args(arguments)
    train(options.base, options.concept, options.steps, options.rate, options.out, options.log)


if __name__ == "__main__":
    main()
