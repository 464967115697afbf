"""Trains the demo LoRA by plain DreamBooth: `python -m owf.demo.train_lora`."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ..core import families
from ..core.adapter import LoraCard, write_kohya
from .concept import CAPTION, read_concept
from .lora import attach, pairs
from .pictures import load_demo_base
from .stage import step_generators

if TYPE_CHECKING:
    from ..core.denoiser import Denoiser

HERE = Path(__file__).parent
NAME = "owf_demo_plain"
TRIGGER = "sks bag"
STEPS = 400
RATE = 1e-3
BATCH = 4


def train(base: Path, concept: Path, steps: int, rate: float, out: Path, log: Path) -> None:
    """Write the LoRA of the concept's pictures to `out`, and its losses to `log`."""
    denoiser, pictures = load_demo_base(base), read_concept(concept)
    torch.manual_seed(6)
    updates = attach(denoiser.components["unet"])
    parameters = [p for update in updates.values() for p in update.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=rate)
    loss_at = concept_loss(denoiser, pictures)
    losses = [_learn(loss_at(step), optimizer) for step in range(steps)]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_kohya(out, pairs(updates), card(out.stem, len(pictures), steps, rate))
    _write_log(losses, log)


def _learn(loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> float:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def concept_loss(denoiser: "Denoiser", pictures: torch.Tensor) -> Callable[[int], torch.Tensor]:
    """Return loss(step): the denoising error of random concept pictures under the concept's caption."""
    latents = denoiser.encode_image((pictures * 255).round().byte())
    context = denoiser.encode_text([CAPTION]).context.expand(BATCH, -1, -1)

    def loss(step: int) -> torch.Tensor:
        _, generator = step_generators(6, step)
        x0 = latents[torch.randint(len(latents), (BATCH,), generator=generator)]
        noise = torch.randn(x0.shape, generator=generator)
        timesteps = torch.randint(denoiser.schedule.steps, (BATCH,), generator=generator)
        noisy = denoiser.schedule.noise(x0, noise, timesteps)
        # Not denoiser.predict, which measures and therefore keeps no gradients.
        prediction = denoiser.components["unet"](noisy, timesteps, context).sample
        return F.mse_loss(prediction, denoiser.schedule.target(x0, noise, timesteps))

    return loss


def card(name: str, pictures: int, steps: int, rate: float) -> LoraCard:
    """Return the header of the LoRA's file."""
    facts = {
        "ss_num_train_images": str(pictures),
        "ss_steps": str(steps),
        "ss_learning_rate": str(rate),
        "ss_tag_frequency": json.dumps({f"1_{TRIGGER}": {CAPTION: pictures}}),
        "modelspec.license": "Apache-2.0",
    }
    family = families.get("demo")
    return LoraCard(name, family, (TRIGGER,), base_model="owf demo base", facts=tuple(facts.items()))


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
