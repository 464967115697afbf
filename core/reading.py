"""Is the base read as it was trained? Its predictions on its own noised pictures, against a rule that knows nothing.

A prediction type is a line in a settings file, or none at all, and a wrong one gives numbers that are finite and mean
nothing. So a few pictures of the base's own are noised and predicted. The trivial predictor is the best multiple of
the noised latents: it knows the noise level and not what pictures look like. A model that is read as it was trained
is far better at every level; one that is misread is worse (docs/design/is-the-base-read-right.md has the numbers).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .batch import Batch
from .denoiser import Conditioning, Denoiser
from .errors import InvalidError
from .noise import at_least_float32, gaussian
from .schedule import Schedule

PICTURES = 8
"""Pictures that are looked at: each has thousands of numbers, and right and wrong readings are factors apart."""
LEVELS = (0.5, 0.4, 0.3, 0.2)
"""Share of the picture in the noised latents, noise being the rest: s where s^2 + sigma^2 = 1. With more of the picture
than this, noise and v are alike, so that a wrong reading looks right; with less, there is nothing to see."""
READINGS = ("epsilon", "v_prediction", "flow")
"""What the same answers are compared with."""
MARGIN = 2.0
"""How often smaller the error under another reading must be before the base is called misread. A wrong reading of the
demo base is 5 to 8 times worse; networks that were never trained fit no reading, and some by a tenth by chance."""

ROWS = PICTURES * len(LEVELS)
"""UNet rows that it costs."""


@dataclass(frozen=True)
class Reading:
    """How well a base's answers fit what it is said to predict."""

    declared: str
    """What it is said to predict."""
    ratio: float
    """Its squared error over the trivial predictor's, geometric mean over the levels; below 1 it knows something."""
    other: str
    """The best of the other readings."""
    other_ratio: float
    """The same ratio under that reading."""

    @property
    def is_wrong(self) -> bool:
        """Whether another reading fits, and the declared one does not."""
        return self.ratio >= 1 and self.other_ratio < 1 and self.other_ratio * MARGIN <= self.ratio

    @property
    def fits_nothing(self) -> bool:
        """Whether the base is no better than the trivial predictor, and no other reading explains it."""
        return self.ratio >= 1 and not self.is_wrong

    def sentence(self) -> str:
        """Return what was found, in plain words."""
        seen = (
            f"Read as {_TITLES[self.declared]}, the base predicts its own noised pictures no better than the trivial "
            f"predictor, a multiple of what it is given ({self.ratio:.3g} times its squared error; trained models are "
            "well below 1)"
        )
        if self.is_wrong:
            return (
                f"{seen}. Read as {_TITLES[self.other]}, it does ({self.other_ratio:.3g} times): that is what it "
                "predicts, so every number measured otherwise would mean nothing. Correct prediction_type in its "
                "scheduler's configuration, or the checkpoint's markers."
            )
        return f"{seen}, nor read in another way: it is not trained, damaged, or made for another process."


_TITLES = {"epsilon": "epsilon", "v_prediction": "v-prediction", "flow": "rectified flow"}


@torch.no_grad()
def reading_sums(denoiser: Denoiser, latents: torch.Tensor, item: str, cond: Conditioning, batch: Batch) -> np.ndarray:
    """Return sums (readings, levels, 4) over one picture's latents (C, h, w), for `judge_reading`.

    The four are |y|^2, <y, x_t>, |x_t|^2 and |prediction - y|^2 for the target y of each reading. The noise depends
    on `item` and the timestep only. `cond` is the one row of the picture's prompt.
    """
    schedule = denoiser.schedule
    steps = level_timesteps(schedule)
    latents = at_least_float32(latents)
    eps = torch.stack([gaussian(tuple(latents.shape), 0, f"reading|{item}", t) for t in steps])
    eps = eps.to(latents.device, latents.dtype)
    t = torch.tensor(steps, device=latents.device)
    x0 = latents.expand_as(eps)
    x_t = schedule.noise(x0, eps, t)
    given = x_t.to(denoiser.dtype)
    parts = batch.run(len(steps), lambda rows: denoiser.predict(given[rows], t[rows], cond.rows([0] * len(t[rows]))))
    found = torch.cat(parts).to(x_t.dtype)
    targets = _targets(schedule, x0, eps, t)
    return np.stack([_sums(targets[reading], x_t, found) for reading in READINGS])


def _targets(
    schedule: Schedule, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor
) -> dict[str, torch.Tensor]:
    signal, sigma = schedule.factors(t, x0)
    size = (signal.square() + sigma.square()).sqrt()  # of a flow it is not 1, and v is defined for 1
    return {"epsilon": eps, "v_prediction": (signal * eps - sigma * x0) / size, "flow": eps - x0}


def _sums(target: torch.Tensor, x_t: torch.Tensor, found: torch.Tensor) -> np.ndarray:
    pairs = ((target, target), (target, x_t), (x_t, x_t), (found - target, found - target))
    return np.stack([(a.double() * b.double()).flatten(1).sum(1).cpu().numpy() for a, b in pairs], axis=1)


def level_timesteps(schedule: Schedule) -> list[int]:
    """Return the timestep of a schedule that is nearest to each of LEVELS."""
    share = schedule.signal / (schedule.signal.square() + schedule.sigma.square()).sqrt()
    return [int((share - level).abs().argmin()) for level in LEVELS]


def judge_reading(sums: Sequence[np.ndarray], declared: str) -> Reading:
    """Return how well the sums of all pictures fit the declared reading, and the best other one.

    Raises InvalidError where they are not finite.
    """
    total = np.sum(np.stack(sums), axis=0)
    if not np.isfinite(total).all():
        raise InvalidError("The base's predictions of its own noised pictures contain NaN or infinite values.")
    targets, products, inputs, errors = np.moveaxis(total, -1, 0)
    trivial = np.maximum(targets - products**2 / inputs, np.finfo(np.float64).tiny)
    ratios = np.exp(np.log(np.maximum(errors, np.finfo(np.float64).tiny) / trivial).mean(axis=1))
    found = dict(zip(READINGS, ratios.tolist(), strict=True))
    other = min((name for name in READINGS if name != declared), key=lambda name: found[name])
    return Reading(declared, found[declared], other, found[other])
