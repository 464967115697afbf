"""A LoRA that is distilled from its base: under some prompts it learns what the base predicts under others."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from owf.core import families
from owf.core.adapter import LoraCard, LoraPair, write_kohya
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.denoiser import Conditioning
from owf.core.model.diffusion.sample import Sampling, generate_latents
from owf.core.plan.vocabulary import Concept
from torch import nn

RANK, ROWS, RATE = 16, 16, 3e-3
"""Rank of the LoRA, rows of a step, and the highest rate of AdamW."""
PICTURES = 96
"""Latents that are noised; whatever they show, noise hides most of it, and all classes are among them."""
SAMPLING = Sampling(steps=12, guidance_scale=4.0)
_LAYERS = ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2")
"""Linear layers that are changed: where the prompt is read, and what is made of it."""


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
        pairs = _pairs(unet, generator)
        optimizer = torch.optim.AdamW([p for pair in pairs.values() for p in pair], lr=RATE, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=self._steps)
        errors = []
        for _ in range(self._steps):
            x_t, t, own, target, size = self._rows(lessons, kept, share, generator)
            with _beside(unet, pairs):
                loss = (self._predict(x_t, t, own) - target).square().mean() / size
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            errors.append(float(loss.detach()))
        self._write(path, pairs, triggers)
        last = errors[-max(1, self._steps // 10) :]
        return sum(last) / len(last)

    def _rows(
        self, lessons: Sequence[Lesson], kept: Sequence[str], share: float, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, Conditioning, torch.Tensor, torch.Tensor]:
        """Return noised latents, timesteps, prompts, what is to be predicted, and the size by which errors count."""
        count = round(share * ROWS) if lessons and kept else ROWS
        taught = [lessons[i] for i in _drawn(len(lessons), count, generator)] if lessons else []
        others = [kept[i] for i in _drawn(len(kept), ROWS - len(taught), generator)] if len(taught) < ROWS else []
        latents = self._latents[_drawn(len(self._latents), ROWS, generator)]
        t = torch.randint(0, self._denoiser.schedule.steps, (ROWS,), generator=generator)
        noise = torch.randn(latents.shape, generator=generator)
        x_t = self._denoiser.schedule.noise(latents, noise, t).to(self._denoiser.dtype)
        own = self._conditioning([*(lesson.prompt for lesson in taught), *others])
        instead = self._conditioning([*(lesson.instead for lesson in taught), *others])
        far = torch.tensor([*(lesson.share for lesson in taught), *(0.0 for _ in others)])[:, None, None, None]
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

    def _write(
        self, path: Path, pairs: dict[str, tuple[nn.Parameter, nn.Parameter]], triggers: tuple[str, ...]
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = [LoraPair("unet", name, down.detach(), up.detach(), RANK) for name, (down, up) in pairs.items()]
        write_kohya(path, written, LoraCard(path.stem, families.get("demo"), triggers))


def _drawn(count: int, size: int, generator: torch.Generator) -> list[int]:
    return torch.randint(0, count, (size,), generator=generator).tolist()


def _pairs(unet: nn.Module, generator: torch.Generator) -> dict[str, tuple[nn.Parameter, nn.Parameter]]:
    """Return (down, up) of each layer; up is not quite 0, so that a LoRA that learns nothing is no empty file."""
    found = {}
    for name, layer in unet.named_modules():
        if isinstance(layer, nn.Linear) and name.endswith(_LAYERS):
            down = torch.randn(RANK, layer.in_features, generator=generator) / layer.in_features**0.5
            up = 1e-4 * torch.randn(layer.out_features, RANK, generator=generator)
            found[name] = (nn.Parameter(down), nn.Parameter(up))
    return found


@contextmanager
def _beside(unet: nn.Module, pairs: dict[str, tuple[nn.Parameter, nn.Parameter]]) -> Iterator[None]:
    """Return a context in which each layer adds what its pair makes of its input."""

    def adding(down: nn.Parameter, up: nn.Parameter):
        return lambda layer, inputs, output: output + inputs[0] @ down.T @ up.T

    handles = [unet.get_submodule(name).register_forward_hook(adding(*pair)) for name, pair in pairs.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
