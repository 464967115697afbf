"""The rows of a vocabulary: thousands of concepts, a few predictions each, kept by a pass of either model."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ...model.diffusion.denoiser import overflow
from ...model.diffusion.predictions import cell_predictions
from ...model.diffusion.schedule import spaced_timesteps
from ...plan.screening.block_design import Cells
from ...plan.screening.screening import CANDIDATES, TIMESTEPS, plan_pilot
from ...plan.vocabulary import Concept
from .recorder import ModelPass


class Screening:
    """What a vocabulary is asked: the same noised pictures, of base and tuned model, under any prompts."""

    def __init__(
        self, stage: str, concepts: Sequence[Concept], cells: Cells, timesteps: Sequence[int], latents: np.ndarray
    ) -> None:
        """Take the stage of the store, V concepts, their (V, R) cells, which timesteps these mean, and the latents
        (P, C, h, w) of the pictures."""
        self.concepts, self.cells, self.timesteps = concepts, cells, tuple(timesteps)
        self._stage, self._contrast, self._latents = stage, f"{stage}-contrast", latents

    def ask_base(self, base: ModelPass, title: str) -> None:
        """Keep the predictions of every concept, as float16: thousands of them."""
        for part, values in self._predicted(base, title, self._stage, self._own_prompts):
            base.keep(self._stage, [(str(i), {"prediction": v}) for i, v in zip(part, values, strict=True)])

    def contrast(self, base: ModelPass, title: str, instead: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Return the squared norms (V, R) of what the prompts `instead` change each of the base's predictions by, and
        of these."""
        return self._changes(base, title, self._contrast, instead, base)

    def compare(self, tuned: ModelPass, title: str, base: ModelPass) -> tuple[np.ndarray, np.ndarray]:
        """Return the squared norms (V, R) of the change of each of the predictions that `base` keeps, and of these."""
        return self._changes(tuned, title, self._stage, self._own_prompts, base)

    def _changes(
        self, model: ModelPass, title: str, stage: str, asked: Sequence[Sequence[str]], base: ModelPass
    ) -> tuple[np.ndarray, np.ndarray]:
        for part, values in self._predicted(model, title, stage, asked):
            samples = []
            for i, value in zip(part, values, strict=True):
                before = base.sample(self._stage, str(i))["prediction"].astype(np.float64)
                change = np.square(value - before).sum(axis=(1, 2, 3))
                samples.append((str(i), {"change": change, "norm": np.square(before).sum(axis=(1, 2, 3))}))
            model.keep(stage, samples)
        found = [model.sample(stage, str(i)) for i in range(len(self.concepts))]
        return np.stack([sample["change"] for sample in found]), np.stack([sample["norm"] for sample in found])

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
        for start in range(0, len(missing), size):
            part = missing[start : start + size]
            values = cell_predictions(
                model.denoiser,
                pictures,
                [asked[i] for i in part],
                [self.concepts[i].prompt for i in part],
                Cells(self.cells.timestep[part], self.cells.picture[part]),
                self.timesteps,
                model.plan.seed,
                model.batch,
                model.progress,
            )
            if not np.isfinite(values).all():
                raise overflow("The model returned NaN or infinite values", model.denoiser.dtype)
            # Both sides are rounded alike, so a model that did not change differs by exactly nothing.
            yield part, values.astype(np.float16)


def telling_timesteps(base: ModelPass, concepts: Sequence[Concept], latents: np.ndarray) -> list[int]:
    """Return the timesteps at which the prompt says most to the base, relative to all that it predicts; ascending."""
    chosen, cells, instead = plan_pilot(base.plan, concepts, len(latents))
    candidates = spaced_timesteps(CANDIDATES, base.denoiser.schedule.steps)
    pilot = Screening("pilot", [concepts[i] for i in chosen], cells, candidates, latents)
    title = "Base: where the prompt says most"
    pilot.ask_base(base, title)
    change, norm = pilot.contrast(base, title, instead.prompts)
    # Of logarithms, as in what follows; a prompt that says nothing at all leaves every timestep alike.
    told = np.log(change / norm + np.finfo(np.float64).tiny).mean(axis=0)
    return sorted(candidates[i] for i in np.argsort(-told, kind="stable")[:TIMESTEPS])


def read_texts(base: ModelPass, concepts: Sequence[Concept]) -> np.ndarray:
    """Return the concepts' prompts (V, D) as the base's text encoder reads them: the mean over their tokens."""
    base.progress.stage("Base: reading the vocabulary")
    missing = [i for i in range(len(concepts)) if not base.has("texts", str(i), 0)]
    for start in range(0, len(missing), base.batch.size):
        part = missing[start : start + base.batch.size]
        read = base.denoiser.encode_text([concepts[i].prompt for i in part]).context.float().mean(1).cpu().numpy()
        base.keep("texts", [(str(i), {"text": text}) for i, text in zip(part, read, strict=True)])
    return np.stack([base.sample("texts", str(i))["text"] for i in range(len(concepts))])
