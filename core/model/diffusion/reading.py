"""Is the base read as it was trained? Its predictions on its own noised pictures, against a rule that knows nothing.

A prediction type is a line in a settings file, or none at all, and a wrong one gives numbers that are finite and mean
nothing. So a few pictures of the base's own are noised and predicted. The trivial predictor is the best multiple of
the noised latents: it knows the noise level and not what pictures look like. A model that is read as it was trained
is far better at every level; one that is misread is worse (docs/design/is-the-base-read-right.md has the numbers).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ...errors import InvalidError
from .batch import Batching
from .denoiser import Conditioning, Denoiser
from .noise import at_least_float32, gaussian
from .sample import Sampling, generate_latents
from .schedule import LEAST_SIGNAL, Schedule

READING_PICTURES = 8
"""Pictures of its own that the base is checked on: each has thousands of numbers, and a right and a wrong reading of
it are factors apart."""
READING_LEVELS = (0.5, 0.4, 0.3, 0.2)
"""Noise levels of the check: the share s of the picture where s^2 + sigma^2 = 1. With more of the picture than this,
noise and v are alike, so that a wrong reading looks right; with less, there is little to see."""
READING_ROWS = 2 * len(READING_LEVELS)
"""UNet rows of one picture: it is asked as it was drawn, and scaled to a mean square of 1."""
READINGS = ("epsilon", "v_prediction")
"""What the same answers are compared with, besides what the base is said to predict: the two that are confused."""
MARGIN = 2.0
"""How often smaller the error under another reading must be before the base is called misread. A wrong reading of the
demo base is 4 to 20 times worse."""
FITS = 0.8
"""Ratio up to which another reading explains the answers. The demo base, misread, has up to 0.5 under the right one; a
network that was never trained has 0.9 where its own noise has left traces in what it drew."""


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

    is_wrong: bool
    """Whether the declared reading does not fit, and the other one does."""

    @property
    def fits_nothing(self) -> bool:
        """Whether the base is no better than the trivial predictor, and no other reading explains it."""
        return self.ratio >= 1 and not self.is_wrong

    def sentence(self) -> str:
        """Return what was found, in plain words."""
        error = f"{self.ratio:.3g} times its squared error" if np.isfinite(self.ratio) else "its answers are not finite"
        seen = (
            f"Read as {_TITLES[self.declared]}, the base predicts noised pictures no better than the trivial "
            f"predictor, a multiple of what it is given ({error}; trained models are well below 1)"
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
def reading_sums(
    denoiser: Denoiser, latents: torch.Tensor, item: str, cond: Conditioning, batch: Batching
) -> np.ndarray:
    """Return sums (2, readings, levels, 4) over one picture's latents (C, h, w), for `judge_reading`.

    The first are of the latents as they are, the second of the same scaled to a mean square of 1: drawn under a wrong
    reading they may be thousands of times too large, where a network says nothing under any reading. Readings are the
    declared one, then READINGS. The four sums are |y|^2, <y, x_t>, |x_t|^2 and |prediction - y|^2 for the target y.
    The noise depends on `item` and the timestep only. `cond` is the one row of the picture's prompt.
    """
    schedule = denoiser.schedule
    steps = level_timesteps(schedule)
    latents = at_least_float32(latents)
    size = _size(latents)
    eps = torch.stack([gaussian(tuple(latents.shape), 0, f"reading|{item}", t) for t in steps])
    eps = eps.to(latents.device, latents.dtype)
    t = torch.tensor(steps, device=latents.device)
    return np.stack([_at_levels(denoiser, x0.expand_as(eps), eps, t, cond, batch) for x0 in (latents, latents / size)])


def _size(latents: torch.Tensor) -> torch.Tensor:
    """Return the root mean square of latents, at least 1e-6 so that a picture of zeros stays one."""
    largest = latents.abs().amax().clamp(min=1e-6)  # squares of what a misread base draws may be beyond float32
    return largest * (latents / largest).square().mean().sqrt().clamp(min=1e-6)


def _at_levels(
    denoiser: Denoiser, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor, cond: Conditioning, batch: Batching
) -> np.ndarray:
    schedule = denoiser.schedule
    x_t = schedule.noise(x0, eps, t)
    given = x_t.to(denoiser.dtype)
    parts = batch.run(len(t), lambda rows: denoiser.predict(given[rows], t[rows], cond.rows([0] * len(t[rows]))))
    found = torch.cat(parts).to(x_t.dtype)
    signal, sigma = schedule.factors(t, x0)
    size = (signal.square() + sigma.square()).sqrt()  # of a flow it is not 1, and v is defined for 1
    others = {"epsilon": eps, "v_prediction": (signal * eps - sigma * x0) / size}
    targets = [schedule.target(x0, eps, t), *(others[reading] for reading in READINGS)]
    return np.stack([_sums(target, x_t, found) for target in targets])


def _sums(target: torch.Tensor, x_t: torch.Tensor, found: torch.Tensor) -> np.ndarray:
    pairs = ((target, target), (target, x_t), (x_t, x_t), (found - target, found - target))
    return np.stack([(a.double() * b.double()).flatten(1).sum(1).cpu().numpy() for a, b in pairs], axis=1)


def level_timesteps(schedule: Schedule) -> list[int]:
    """Return the timestep of a schedule that is nearest to each of READING_LEVELS."""
    share = schedule.signal / (schedule.signal.square() + schedule.sigma.square()).sqrt()
    return [int((share - level).abs().argmin()) for level in READING_LEVELS]


def judge_reading(sums: Sequence[np.ndarray], declared: str) -> Reading:
    """Return how well the sums of all pictures fit the declared reading, and the best other one.

    Raises InvalidError where they are not finite and no other reading explains the pictures scaled back.
    """
    as_drawn, scaled = (_ratios(part) for part in np.sum(np.stack(sums), axis=0))
    ratio = float(as_drawn[0])
    for ratios in (as_drawn, scaled):
        ratio_of = {name: float(ratios[1 + place]) for place, name in enumerate(READINGS) if name != declared}
        other = min(ratio_of, key=lambda name: ratio_of[name])
        if ratio >= 1 and ratio_of[other] <= FITS and ratio_of[other] * MARGIN <= ratios[0]:
            return Reading(declared, ratio, other, ratio_of[other], is_wrong=True)
    if not np.isfinite(as_drawn).all():
        raise InvalidError("The base's predictions of its own noised pictures contain NaN or infinite values.")
    return Reading(declared, ratio, other, ratio_of[other], is_wrong=False)


def _ratios(total: np.ndarray) -> np.ndarray:
    """Return each reading's squared error over the trivial predictor's, the geometric mean over the levels.

    Sums that are not finite, as in half precision on latents thousands of times too large, are infinitely wrong.
    """
    if not np.isfinite(total).all():
        return np.full(len(total), np.inf)
    least = np.finfo(np.float64).tiny
    targets, products, inputs, errors = np.moveaxis(total, -1, 0)
    trivial = np.maximum(targets - products**2 / np.maximum(inputs, least), least)
    return np.exp(np.log(np.maximum(errors, least) / trivial).mean(axis=1))


def read_pictures(denoiser: Denoiser, prompts: Sequence[str], latents: torch.Tensor, batch: Batching) -> Reading:
    """Return how well the base's answers fit on its own drawings (N, C, h, w) of N prompts; see `judge_reading`."""
    sums = [
        reading_sums(denoiser, x.to(denoiser.device), str(i), denoiser.encode_text([prompt]), batch)
        for i, (prompt, x) in enumerate(zip(prompts, latents, strict=True))
    ]
    return judge_reading(sums, denoiser.schedule.prediction_type)


def require_right_reading(reading: Reading) -> None:
    """Raise InvalidError, with what was found, where a base predicts something else than it is said to."""
    if reading.is_wrong:
        raise InvalidError(reading.sentence())


@dataclass(frozen=True)
class ToDraw:
    """Pictures that a base draws of its own, so that its answers about them can be judged."""

    prompts: Sequence[str]
    """One for each."""
    seeds: Sequence[int]
    """Likewise."""
    sampling: Sampling
    """How they are drawn."""


@contextmanager
def explained(denoiser: Denoiser, draws: ToDraw, batch: Batching) -> Iterator[None]:
    """Return a context for the base's drawing and reading, whose InvalidError names a wrong reading if that is why.

    What a misread base draws grows beyond half precision, so that drawing or decoding it ends in numbers that are not
    finite long before anything is measured. Any other InvalidError stays as it is.
    """
    try:
        yield
    except InvalidError:
        require_not_misread(denoiser, draws, batch)
        raise


def require_right_base(denoiser: Denoiser, draws: ToDraw, latents: torch.Tensor, batch: Batching) -> None:
    """Raise InvalidError where a base that drew latents (N, C, h, w) predicts something else than it is said to.

    A base that fits no reading passes.
    """
    with explained(denoiser, draws, batch):
        reading = read_pictures(denoiser, draws.prompts, latents, batch)
    require_right_reading(reading)
    if reading.fits_nothing:
        require_not_misread(denoiser, draws, batch)


def require_not_misread(denoiser: Denoiser, draws: ToDraw, batch: Batching) -> None:
    """Raise InvalidError where pictures drawn as the base is read, or as it may have to be, show it to be misread.

    For bases that fit nothing on what they drew: a drawing under a wrong reading may be so far from any picture that
    no reading explains the answers, while the right one draws what the network knows. Drawn are READING_PICTURES.
    """
    prompts, seeds = draws.prompts[:READING_PICTURES], draws.seeds[:READING_PICTURES]
    for view in _views(denoiser):
        latents = generate_latents(view, prompts, seeds, draws.sampling, batch)
        if not latents.isfinite().all():
            continue
        try:
            reading = read_pictures(denoiser, prompts, latents, batch)
        except InvalidError:  # its answers are not finite either: this drawing says nothing
            continue
        require_right_reading(reading)


def _views(denoiser: Denoiser) -> Iterator[Denoiser]:
    """Yield the denoiser as it is read, and read otherwise: under the right reading the drawing is finite."""
    yield denoiser
    for kind in READINGS:
        if kind != denoiser.schedule.prediction_type and _is_defined(denoiser.schedule, kind):
            yield _ReadAs(denoiser, kind)  # pyright: ignore[reportReturnType] - all else is the denoiser's own


def _is_defined(schedule: Schedule, kind: str) -> bool:
    """Return whether pictures can be drawn from predictions of a kind: not from noise where nothing else is left."""
    return schedule.prediction_type != "flow" and (kind != "epsilon" or float(schedule.signal.min()) > LEAST_SIGNAL)


class _ReadAs:
    """A denoiser whose answers are taken for another prediction."""

    def __init__(self, denoiser: Denoiser, kind: str) -> None:
        self._denoiser, self.schedule = denoiser, replace(denoiser.schedule, prediction_type=kind)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._denoiser, name)
