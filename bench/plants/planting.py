"""A LoRA that is distilled from its base: under some prompts it learns what the base predicts under others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.denoiser import Conditioning
from owf.core.model.diffusion.sample import Sampling, generate_latents
from owf.core.plan.vocabulary import Concept

from plants.lora import ROWS, beside, learn, new_pairs, write_plant

PICTURES = 96
"""Latents that are noised; whatever they show, noise hides most of it, and all classes are among them."""
SAMPLING = Sampling(steps=12, guidance_scale=4.0)


@dataclass(frozen=True)
class Lesson:
    """What is learned under a prompt."""

    prompt: str
    """The prompt."""
    instead: str
    """Whose predictions are learned."""
    share: float = 1.0
    """How far towards these."""


class Planting:
    """Makes LoRAs on one base; latents and texts are made once."""

    def __init__(self, denoiser, concepts: Sequence[Concept], steps: int) -> None:
        self._denoiser, self._steps = denoiser, steps
        denoiser.components["unet"].requires_grad_(False)
        self._prompts = [concept.prompt for concept in concepts]
        drawn = self._prompts[:: max(1, len(self._prompts) // PICTURES)][:PICTURES]
        self._latents = generate_latents(denoiser, drawn, range(len(drawn)), SAMPLING, Batching(32))
        self._texts: dict[str, torch.Tensor] = {}

    def plant(self, path: Path, lessons: Sequence[Lesson], share: float, triggers: tuple[str, ...], seed: int) -> float:
        """Write the LoRA; return the mean squared error of its last steps, relative to what was to be learned.

        Where nothing is, relative to what the base predicts. This share of the rows are lessons, if there are any. The
        same seed gives the same file.
        """
        taught = {lesson.prompt for lesson in lessons}
        kept = [prompt for prompt in self._prompts if prompt not in taught]
        generator, unet = torch.Generator().manual_seed(seed), self._denoiser.components["unet"]
        pairs = new_pairs(unet, generator)

        def error() -> torch.Tensor:
            x_t, t, own, target, size = self._rows(lessons, kept, share, generator)
            with beside(unet, pairs):
                return (self._predict(x_t, t, own) - target).square().mean() / size

        last = learn(pairs, self._steps, error)
        write_plant(path, pairs, triggers)
        return last

    def _rows(
        self, lessons: Sequence[Lesson], kept: Sequence[str], share: float, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, Conditioning, torch.Tensor, torch.Tensor]:
        """Return noised latents, timesteps, prompts, what is to be predicted, and the size by which errors count."""
        count = round(share * ROWS) if lessons and kept else ROWS
        taught = [lessons[i] for i in _drawn(len(lessons), count, generator)] if lessons else []
        others = [kept[i] for i in _drawn(len(kept), ROWS - len(taught), generator)] if len(taught) < ROWS else []
        latents = self._latents[_drawn(len(self._latents), ROWS, generator)]
        t = torch.randint(0, self._denoiser.schedule.steps, (ROWS,), generator=generator).to(latents.device)
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        x_t = self._denoiser.schedule.noise(latents, noise, t).to(self._denoiser.dtype)
        own = self._conditioning([*(lesson.prompt for lesson in taught), *others])
        instead = self._conditioning([*(lesson.instead for lesson in taught), *others])
        shares = torch.tensor([*(lesson.share for lesson in taught), *(0.0 for _ in others)])
        far = shares.to(latents.device)[:, None, None, None]
        with torch.no_grad():
            before, other = self._predict(x_t, t, own), self._predict(x_t, t, instead)
            target = before + far * (other - before)
            moved = (target - before).square()[: len(taught)]
            # What is learned is far smaller than what is predicted: errors count relative to it.
            size = moved.mean() if taught and float(moved.mean()) > 0 else before.square().mean()
        return x_t, t, own, target, size

    def _predict(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        return self._denoiser.forward(x_t, t, cond).float()

    def _conditioning(self, prompts: Sequence[str]) -> Conditioning:
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._texts]
        if missing:
            with torch.no_grad():
                self._texts |= dict(zip(missing, self._denoiser.encode_text(missing).context, strict=True))
        return Conditioning(torch.stack([self._texts[prompt] for prompt in prompts]))


def _drawn(count: int, size: int, generator: torch.Generator) -> list[int]:
    return torch.randint(0, count, (size,), generator=generator).tolist()
