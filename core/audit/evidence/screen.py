"""The rows of a vocabulary: thousands of concepts, a few predictions each, kept by a pass of either model."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from ...model.diffusion.denoiser import overflow
from ...model.diffusion.predictions import cell_predictions
from ...model.diffusion.read_ahead import read_prompts, reading_ahead
from ...model.diffusion.schedule import asked_timesteps
from ...plan.screening.block_design import Cells
from ...plan.screening.screening import CANDIDATES, TIMESTEPS, plan_pilot
from ...plan.vocabulary import Concept
from .recorder import ModelPass

Time = tuple[int, int]
"""A timestep with the number of its noise."""


class Screening:
    """What a vocabulary is asked: the same noised pictures, of base and tuned model, under any prompts."""

    def __init__(
        self, stage: str, concepts: Sequence[Concept], cells: Cells, times: Sequence[Time], latents: np.ndarray
    ) -> None:
        """Take the stage of the store, V concepts, their (V, R) cells, which times these mean, and the latents
        (P, C, h, w) of the pictures."""
        self.concepts, self.cells, self.times = concepts, cells, tuple(times)
        self._stage, self._instead, self._latents = stage, f"{stage}-instead", latents

    def ask_base(self, base: ModelPass, title: str) -> None:
        """Keep the base's predictions of every concept, as float16: thousands of them."""
        self._keep(base, title, self._stage, self._own_prompts)

    def ask_instead(
        self, base: ModelPass, title: str, instead: Sequence[Sequence[str]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Keep its predictions under the prompts `instead`; return the squared norms (V, R) of what these change, and
        of its predictions."""
        self._keep(base, title, self._instead, instead)
        own, others = self._kept(base, self._stage), self._kept(base, self._instead)
        found = [(_squares(other - before), _squares(before)) for before, other in zip(own, others, strict=True)]
        contrast, norm = zip(*found, strict=True)
        return np.stack(contrast), np.stack(norm)

    def compare(self, tuned: ModelPass, title: str, base: ModelPass) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return, of the change of each of the predictions that `base` keeps, the squared norms (V, R), those of the
        predictions, and the products (V, R) of the change with what the prompts `instead` change."""
        for part, values in self._predicted(tuned, title, self._stage, self._own_prompts):
            before, others = (self._kept(base, stage, part) for stage in (self._stage, self._instead))
            samples = []
            for i, value, own, other in zip(part, values, before, others, strict=True):
                change, apart = value - own, other - own
                toward = (change * apart).sum(axis=(1, 2, 3))
                samples.append((str(i), {"change": _squares(change), "norm": _squares(own), "toward": toward}))
            tuned.keep(self._stage, samples)
        found = [tuned.sample(self._stage, str(i)) for i in range(len(self.concepts))]
        change, norm, toward = (np.stack([sample[name] for sample in found]) for name in ("change", "norm", "toward"))
        return change, norm, toward

    def _keep(self, base: ModelPass, title: str, stage: str, asked: Sequence[Sequence[str]]) -> None:
        for part, values in self._predicted(base, title, stage, asked):
            base.keep(stage, [(str(i), {"prediction": v}) for i, v in zip(part, values, strict=True)])

    def _kept(self, base: ModelPass, stage: str, places: Sequence[int] | None = None) -> Iterator[np.ndarray]:
        """Yield the predictions (R, C, h, w) float64 that the base keeps, of every concept or of some."""
        for i in range(len(self.concepts)) if places is None else places:
            yield base.sample(stage, str(i))["prediction"].astype(np.float64)

    @property
    def _own_prompts(self) -> list[list[str]]:
        return [[concept.prompt] * self._rows for concept in self.concepts]

    @property
    def _rows(self) -> int:
        return self.cells.timestep.shape[1]

    def _predicted(
        self, model: ModelPass, title: str, stage: str, asked: Sequence[Sequence[str]]
    ) -> Iterator[tuple[list[int], np.ndarray]]:
        """Yield which concepts were missing, and their predictions (N, R, C, h, w) float16, some at a time."""
        model.progress.stage(title)
        missing = [i for i in range(len(self.concepts)) if not model.has(stage, str(i), self._rows)]
        size = max(1, model.batch.size * model.batch.workers // self._rows)
        pictures = torch.from_numpy(self._latents).to(model.denoiser.device)
        parts = [missing[start : start + size] for start in range(0, len(missing), size)]
        for denoiser, part in reading_ahead(model.encodings, parts, lambda part: _texts(asked, part)):
            values = cell_predictions(
                denoiser,
                pictures,
                [asked[i] for i in part],
                [self.concepts[i].prompt for i in part],
                Cells(self.cells.timestep[part], self.cells.picture[part]),
                self.times,
                model.plan.seed,
                model.batch,
                model.progress,
            )
            if not np.isfinite(values).all():
                raise overflow("The model returned NaN or infinite values", model.denoiser.dtype)
            # Both sides are rounded alike, so a model that did not change differs by exactly nothing.
            yield part, values.astype(np.float16)


def _texts(asked: Sequence[Sequence[str]], part: Sequence[int]) -> Iterator[tuple[str]]:
    return ((prompt,) for i in part for prompt in asked[i])


def telling_timesteps(base: ModelPass, concepts: Sequence[Concept], latents: np.ndarray) -> list[Time]:
    """Return the times at which the prompt says most to the base, relative to all that it predicts; ascending.

    Of a base that was distilled to few steps, all of its sampler's.
    """
    if base.plan.own_times:
        return asked_timesteps(TIMESTEPS, base.denoiser.schedule, base.plan.drawn)
    chosen, cells, instead = plan_pilot(base.plan, concepts, len(latents))
    candidates = asked_timesteps(CANDIDATES, base.denoiser.schedule)
    pilot = Screening("pilot", [concepts[i] for i in chosen], cells, candidates, latents)
    title = "Base: where the prompt says most"
    pilot.ask_base(base, title)
    change, norm = pilot.ask_instead(base, title, instead.prompts)
    # Of logarithms, as in what follows; a prompt that says nothing at all leaves every timestep alike.
    told = np.log(change / norm + np.finfo(np.float64).tiny).mean(axis=0)
    return sorted(candidates[i] for i in np.argsort(-told, kind="stable")[:TIMESTEPS])


def _squares(values: np.ndarray) -> np.ndarray:
    """Return the squared norms (R,) of predictions (R, C, h, w)."""
    return np.square(values).sum(axis=(1, 2, 3))


def read_texts(base: ModelPass, prompts: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the prompts as the base's text encoder reads them: the mean (D,) over their tokens."""
    base.progress.stage("Base: reading the vocabulary")
    each = list(dict.fromkeys(prompts))
    missing = [i for i in range(len(each)) if not base.has("texts", str(i), 0)]
    for start in range(0, len(missing), base.batch.size):
        part = missing[start : start + base.batch.size]
        read = read_prompts(base.encodings, [each[i] for i in part]).mean().cpu().numpy()
        base.keep("texts", [(str(i), {"text": text}) for i, text in zip(part, read, strict=True)])
    return {prompt: base.sample("texts", str(i))["text"] for i, prompt in enumerate(each)}
