"""One model's side of an audit - base or tuned - measured sample by sample into a store."""

import io
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import torch

from ...datasets.images.labelled import LabelledImages
from ...disk.store import Arrays, SampleStore
from ...model.diffusion import reading
from ...model.diffusion.batch import Batching
from ...model.diffusion.classifier import image_errors, images_at_once
from ...model.diffusion.denoiser import overflow
from ...model.diffusion.drawings import draw_name
from ...model.diffusion.encodings import Encodings
from ...model.diffusion.predictions import predictions
from ...model.diffusion.read_ahead import read_prompts, reading_ahead
from ...model.diffusion.sample import Sampling, generate_latents, texts_of
from ...plan.audit_plan import AuditPlan
from ...progress import Progress
from .cost import answer_rows

Draws = tuple[tuple[str, int], ...]
"""(prompt, seed) of each image."""


SEEDS = 1_000_000
"""Image seeds that belong to each seed of a plan, so that two plans share none."""


def draw_seed(plan: AuditPlan, trial: int, *, floor: bool = False) -> int:
    """Return the seed of a prompt's image number `trial`; the noise floor's images have seeds of their own."""
    first = SEEDS // 2 if floor else 0
    return plan.seed * SEEDS + first + trial


def audit_draws(plan: AuditPlan, *, floor: bool = False) -> Draws:
    """Return the (prompt, seed) of every image of the plan, prompt by prompt."""
    trials = range(plan.images_per_prompt)
    return tuple((p.text, draw_seed(plan, i, floor=floor)) for p in plan.prompts for i in trials)


def step_draws(plan: AuditPlan, *, floor: bool = False) -> Draws:
    """Return the (prompt, seed) of every image that is drawn in more steps too."""
    draws = audit_draws(plan, floor=floor)
    return tuple(draws[place] for place in plan.step_places)


def color_draws(plan: AuditPlan, *, floor: bool = False) -> Draws:
    """Return the (prompt, seed) of every image that asks for a colour."""
    return tuple((prompt.text, draw_seed(plan, trial, floor=floor)) for prompt, trial in plan.color_draws)


class ModelPass:
    """Measures whatever the denoiser's weights are at the moment; keeps what is done in `store`."""

    def __init__(
        self, encodings: Encodings, plan: AuditPlan, store: SampleStore, batch: Batching, progress: Progress
    ) -> None:
        self.encodings, self.denoiser = encodings, encodings.denoiser
        self.plan, self.batch, self.progress = plan, batch, progress
        self._store = store
        self._sampling = Sampling(plan.sampling_steps, plan.guidance_scale, plan.negative, plan.solver)
        self.before = store.measured()
        """(stage, item) of what was measured before this pass began; the progress never counted on these."""

    def explained(self, draws: Draws) -> AbstractContextManager[None]:
        """Return a context for what the base draws: see `reading.explained`."""
        return reading.explained(self.denoiser, self._judged(draws), self.batch)

    def require_not_misread(self, draws: Draws) -> None:
        """See `reading.require_not_misread`."""
        reading.require_not_misread(self.denoiser, self._judged(draws), self.batch)

    def _judged(self, draws: Draws) -> reading.ToDraw:
        return reading.ToDraw([p for p, _ in draws], [s for _, s in draws], self._sampling)

    def draw(self, title: str, stage: str, draws: Draws, factor: int = 1) -> np.ndarray:
        """Return the images (N, 3, H, W) uint8 of (prompt, seed) pairs, in `factor` times the plan's steps."""
        self.progress.stage(title)
        sampling = replace(self._sampling, steps=factor * self._sampling.steps)
        missing = [d for d in draws if not self.has(stage, draw_name(d), sampling.rows)]
        size = max(1, self.batch.size * self.batch.workers // (sampling.rows // sampling.steps))
        parts = [missing[start : start + size] for start in range(0, len(missing), size)]
        for denoiser, part in reading_ahead(
            self.encodings, parts, lambda part: texts_of((p for p, _ in part), sampling)
        ):
            prompts, seeds = [p for p, _ in part], [s for _, s in part]
            latents = generate_latents(denoiser, prompts, seeds, sampling, self.batch, self.progress)
            images = self.denoiser.decode(latents)
            samples = [
                (draw_name(draw), {"png": _to_png(image.numpy()), "latents": latent.numpy()})
                for draw, image, latent in zip(part, images, latents.float().cpu(), strict=True)
            ]
            self.keep(stage, samples)
        return self.images(stage, draws)

    def images(self, stage: str, draws: Draws) -> np.ndarray:
        """Return the images (N, 3, H, W) uint8 that `draw` drew."""
        return np.stack([_from_png(self.sample(stage, draw_name(d))["png"]) for d in draws])

    def latents(self, stage: str, draws: Draws) -> np.ndarray:
        """Return the latents (N, C, h, w) that `draw` decoded."""
        return np.stack([self.sample(stage, draw_name(d))["latents"] for d in draws])

    def classify(self, title: str, stage: str, labelled: LabelledImages, seed: int) -> np.ndarray:
        """Return the denoising errors (N, K, T) of every labelled image."""
        self.progress.stage(title)
        cost, plan = answer_rows(self.plan), self.plan
        missing = [
            pair for pair in zip(labelled.items, labelled.images, strict=True) if not self.has(stage, pair[0], cost)
        ]
        classes = read_prompts(self.encodings, plan.class_prompts)
        size = images_at_once(len(classes), plan.stages, self.batch)
        for start in range(0, len(missing), size):
            items, images = zip(*missing[start : start + size], strict=True)
            latents = self.denoiser.encode_image(torch.from_numpy(np.stack(images)))
            errors = image_errors(
                self.denoiser,
                latents,
                items,
                classes,
                plan.stages,
                plan.loss,
                seed,
                self.batch,
                self.progress,
                plan.drawn,
            )
            self.keep(stage, [(item, {"errors": table}) for item, table in zip(items, errors, strict=True)])
        return np.stack([self.sample(stage, item)["errors"] for item in labelled.items])

    def predict(self, title: str, stage: str, latents: np.ndarray, batch: Batching | None = None) -> list[np.ndarray]:
        """Return the predictions (T, C, h, w) on the noised latents (P, C, h, w) of the first P prompts."""
        self.progress.stage(title)
        prompts = [p.text for p in self.plan.prompts[: len(latents)]]
        missing = [i for i in range(len(prompts)) if not self.has(stage, str(i), self.plan.drift_timesteps)]
        for denoiser, index in reading_ahead(self.encodings, missing, lambda index: [(prompts[index],)]):
            values = predictions(
                denoiser,
                torch.from_numpy(latents[index]).to(denoiser.device),
                prompts[index],
                denoiser.encode_text([prompts[index]]),
                self.plan.drift_timesteps,
                self.plan.seed,
                batch or self.batch,
                self.progress,
                self.plan.drawn,
            )
            if not np.isfinite(values).all():
                raise overflow("The model returned NaN or infinite values", self.denoiser.dtype)
            self.keep(stage, [(str(index), {"prediction": values})])
        return [self.sample(stage, str(i))["prediction"] for i in range(len(latents))]

    def read(self, title: str, stage: str, draws: Draws) -> list[np.ndarray]:
        """Return the `reading_sums` of pictures that `draw` drew."""
        self.progress.stage(title)
        latents = self.latents("draw", draws)
        missing = [i for i, draw in enumerate(draws) if not self.has(stage, draw_name(draw), reading.READING_ROWS)]
        for denoiser, i in reading_ahead(self.encodings, missing, lambda i: [(draws[i][0],)]):
            name, place = draw_name(draws[i]), torch.from_numpy(latents[i]).to(denoiser.device)
            sums = reading.reading_sums(denoiser, place, name, denoiser.encode_text([draws[i][0]]), self.batch)
            self.progress.advance(reading.READING_ROWS)
            self.keep(stage, [(name, {"sums": sums})])
        return [self.sample(stage, draw_name(draw))["sums"] for draw in draws]

    def measured(self) -> frozenset[tuple[str, str]]:
        """Return the (stage, item) of everything that is kept by now."""
        return self._store.measured()

    @property
    def prediction_type(self) -> str:
        """What the model is said to predict."""
        return self.denoiser.schedule.prediction_type

    def keep(self, stage: str, samples: Iterable[tuple[str, Arrays]]) -> None:
        """Keep samples that were measured."""
        self._store.put(stage, samples)
        self.progress.kept()

    def has(self, stage: str, item: str, rows: int) -> bool:
        """Return whether a sample is there; one that another run measured meanwhile shortens the progress."""
        if (stage, item) in self.before:
            return True
        found = self._store.has(stage, item)
        if found:
            self.progress.skip(rows)
        return found

    def sample(self, stage: str, item: str) -> dict[str, np.ndarray]:
        """Return a sample that was measured."""
        sample = self._store.get(stage, item)
        assert sample is not None, (stage, item)
        return sample


def _to_png(image: np.ndarray) -> np.ndarray:
    """Return a (3, H, W) uint8 image as the bytes of a PNG: a third of the size on disk."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(buffer, "PNG", compress_level=1)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def _from_png(png: np.ndarray) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(png.tobytes()), formats=("PNG",)) as picture:
        return np.asarray(picture).transpose(2, 0, 1)
