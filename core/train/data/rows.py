"""What goes through the UNet in a training step, and the random draws behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ...model.diffusion.noise import gaussian
from ...model.diffusion.schedule import Schedule


@dataclass(frozen=True)
class Draw:
    """A counter: what is drawn depends on it alone, so that a resumed training repeats an uninterrupted one."""

    seed: int
    """Seed of the plan."""
    step: int
    """Optimizer step."""
    part: int = 0
    """UNet batch within the step."""

    def generator(self, purpose: str) -> np.random.Generator:
        """Return a generator for one purpose of this draw."""
        return np.random.default_rng([self.seed, self.step, self.part, *purpose.encode()])

    def noise(self, count: int, shape: tuple[int, ...], purpose: str) -> torch.Tensor:
        """Return standard normal noise (count, *shape) float32 on the CPU."""
        return gaussian((count, *shape), self.seed, f"train|{purpose}", self.step, self.part)

    def timesteps(self, count: int, schedule: Schedule, purpose: str) -> torch.Tensor:
        """Return random integer timesteps (count,) of a process: uniform ones, but of flows as these are trained.

        There they are logit-normal with mean 0 and spread 1 before the shift of the base's own sampler (Esser et al.
        2024, arXiv 2403.03206, section 3.1): what kohya's scripts and musubi-tuner call `shift` and `flux_shift`.
        """
        rng = self.generator(f"{purpose}|t")
        if schedule.prediction_type != "flow":
            return torch.from_numpy(rng.integers(0, schedule.steps, count))
        return schedule.timesteps_at(torch.from_numpy(rng.standard_normal(count)).sigmoid())


@dataclass(frozen=True)
class Rows:
    """Latents to be noised and predicted, with their captions."""

    x0: torch.Tensor
    """(N, C, h, w) clean latents, float32 on the model's device."""
    eps: torch.Tensor
    """(N, C, h, w) noise, the same type and place."""
    t: torch.Tensor
    """(N,) timesteps on the model's device."""
    captions: tuple[str, ...]
    """N captions."""

    def __len__(self) -> int:
        return len(self.x0)

    def take(self, index: Sequence[int]) -> "Rows":
        """Return the rows at `index`, repeated at will."""
        places = torch.as_tensor(list(index), device=self.x0.device)
        captions = tuple(self.captions[i] for i in index)
        return Rows(self.x0[places], self.eps[places], self.t[places], captions)

    def cycled(self, count: int) -> "Rows":
        """Return `count` rows: the first ones, or all of them over and over."""
        return self if count == len(self) else self.take([i % len(self) for i in range(count)])

    def captioned(self, captions: Sequence[str]) -> "Rows":
        """Return the same noised latents under other captions."""
        return Rows(self.x0, self.eps, self.t, tuple(captions))


def by_shape(parts: Sequence[Rows], work: Callable[[list[Rows]], torch.Tensor]) -> list[torch.Tensor]:
    """Return work(rows) for each part, with all parts of one latent shape in a single call.

    `work` takes parts of equal shape and returns their rows one after the other.
    """
    results: dict[int, torch.Tensor] = {}
    for shape in dict.fromkeys(part.x0.shape[1:] for part in parts):
        members = [i for i, part in enumerate(parts) if part.x0.shape[1:] == shape]
        outputs = work([parts[i] for i in members]).split([len(parts[i]) for i in members])
        results.update(zip(members, outputs, strict=True))
    return [results[i] for i in range(len(parts))]
