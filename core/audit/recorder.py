"""One model's side of an audit - base or tuned - measured sample by sample into a store."""

import io
from contextlib import AbstractContextManager

import numpy as np
import torch

from ..datasets.labelled import LabelledImages
from ..disk.store import SampleStore
from ..model import reading
from ..model.batch import Batching
from ..model.classifier import image_errors
from ..model.denoiser import Denoiser, overflow
from ..model.predictions import predictions
from ..model.sample import Sampling, generate_latents
from ..plan.audit_plan import AuditPlan
from ..progress import Progress
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


class ModelPass:
    """Measures whatever the denoiser's weights are at the moment; keeps what is done in `store`."""

    def __init__(
        self, denoiser: Denoiser, plan: AuditPlan, store: SampleStore, batch: Batching, progress: Progress
    ) -> None:
        self._denoiser, self._plan, self._store = denoiser, plan, store
        self._batch, self._progress = batch, progress
        self._sampling = Sampling(plan.sampling_steps, plan.guidance_scale, plan.negative)
        self.before = store.measured()
        """(stage, item) of what was measured before this pass began; the progress never counted on these."""

    def explained(self, draws: Draws) -> AbstractContextManager[None]:
        """Return a context for what the base draws: see `reading.explained`."""
        return reading.explained(self._denoiser, self._judged(draws), self._batch)

    def require_not_misread(self, draws: Draws) -> None:
        """See `reading.require_not_misread`."""
        reading.require_not_misread(self._denoiser, self._judged(draws), self._batch)

    def _judged(self, draws: Draws) -> reading.ToDraw:
        return reading.ToDraw([p for p, _ in draws], [s for _, s in draws], self._sampling)

    def draw(self, title: str, stage: str, draws: Draws) -> np.ndarray:
        """Return the images (N, 3, H, W) uint8 of (prompt, seed) pairs."""
        self._progress.stage(title)
        missing = [d for d in draws if not self._has(stage, _draw_name(d), self._sampling.rows)]
        size = max(1, self._batch.size * self._batch.workers // (self._sampling.rows // self._sampling.steps))
        for start in range(0, len(missing), size):
            part = missing[start : start + size]
            prompts, seeds = [p for p, _ in part], [s for _, s in part]
            latents = generate_latents(self._denoiser, prompts, seeds, self._sampling, self._batch, self._progress)
            images = self._denoiser.decode(latents)
            samples = [
                (_draw_name(draw), {"png": _to_png(image.numpy()), "latents": latent.numpy()})
                for draw, image, latent in zip(part, images, latents.float().cpu(), strict=True)
            ]
            self._store.put(stage, samples)
        return self.images(stage, draws)

    def images(self, stage: str, draws: Draws) -> np.ndarray:
        """Return the images (N, 3, H, W) uint8 that `draw` drew."""
        return np.stack([_from_png(self._sample(stage, _draw_name(d))["png"]) for d in draws])

    def latents(self, stage: str, draws: Draws) -> np.ndarray:
        """Return the latents (N, C, h, w) that `draw` decoded."""
        return np.stack([self._sample(stage, _draw_name(d))["latents"] for d in draws])

    def classify(self, title: str, stage: str, labelled: LabelledImages, seed: int) -> np.ndarray:
        """Return the denoising errors (N, K, T) of every labelled image."""
        self._progress.stage(title)
        cost = answer_rows(self._plan)
        items = labelled.items
        classes = self._denoiser.encode_text(self._plan.class_prompts)
        for item, image in zip(items, labelled.images, strict=True):
            if self._has(stage, item, cost):
                continue
            latents = self._denoiser.encode_image(torch.from_numpy(image)[None])[0]
            errors = image_errors(
                self._denoiser,
                latents,
                item,
                classes,
                self._plan.stages,
                self._plan.loss,
                seed,
                self._batch,
                self._progress,
            )
            self._store.put(stage, [(item, {"errors": errors})])
        return np.stack([self._sample(stage, item)["errors"] for item in items])

    def predict(self, title: str, stage: str, latents: np.ndarray, batch: Batching | None = None) -> list[np.ndarray]:
        """Return the predictions (T, C, h, w) on the noised latents (P, C, h, w) of the first P prompts."""
        self._progress.stage(title)
        prompts = [p.text for p in self._plan.prompts[: len(latents)]]
        for index, (prompt, latent) in enumerate(zip(prompts, latents, strict=True)):
            if self._has(stage, str(index), self._plan.drift_timesteps):
                continue
            values = predictions(
                self._denoiser,
                torch.from_numpy(latent).to(self._denoiser.device),
                prompt,
                self._denoiser.encode_text([prompt]),
                self._plan.drift_timesteps,
                self._plan.seed,
                batch or self._batch,
                self._progress,
            )
            if not np.isfinite(values).all():
                raise overflow("The model returned NaN or infinite values", self._denoiser.dtype)
            self._store.put(stage, [(str(index), {"prediction": values})])
        return [self._sample(stage, str(i))["prediction"] for i in range(len(latents))]

    def read(self, title: str, stage: str, draws: Draws) -> list[np.ndarray]:
        """Return the `reading_sums` of pictures that `draw` drew."""
        self._progress.stage(title)
        latents = self.latents("draw", draws)
        for draw, latent in zip(draws, latents, strict=True):
            name = _draw_name(draw)
            if self._has(stage, name, reading.READING_ROWS):
                continue
            place = torch.from_numpy(latent).to(self._denoiser.device)
            sums = reading.reading_sums(self._denoiser, place, name, self._denoiser.encode_text([draw[0]]), self._batch)
            self._progress.advance(reading.READING_ROWS)
            self._store.put(stage, [(name, {"sums": sums})])
        return [self._sample(stage, _draw_name(draw))["sums"] for draw in draws]

    @property
    def prediction_type(self) -> str:
        """What the model is said to predict."""
        return self._denoiser.schedule.prediction_type

    def _has(self, stage: str, item: str, rows: int) -> bool:
        """Return whether a sample is there; one that another run measured meanwhile shortens the progress."""
        if (stage, item) in self.before:
            return True
        found = self._store.has(stage, item)
        if found:
            self._progress.skip(rows)
        return found

    def _sample(self, stage: str, item: str) -> dict[str, np.ndarray]:
        sample = self._store.get(stage, item)
        assert sample is not None, (stage, item)
        return sample


def _draw_name(draw: tuple[str, int]) -> str:
    return f"{draw[1]}|{draw[0]}"


def _to_png(image: np.ndarray) -> np.ndarray:
    """Return a (3, H, W) uint8 image as the bytes of a PNG: a third of the size on disk."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(buffer, "PNG", compress_level=1)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def _from_png(png: np.ndarray) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(png.tobytes())) as picture:
        return np.asarray(picture).transpose(2, 0, 1)
