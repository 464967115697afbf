"""One training in the graph: everything between the node's inputs and the LoRA in ComfyUI's folder."""

import hashlib
import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import UsageError
from ..core.text import counted
from ..core.train.data.bank import DEFAULT, DEMO, Bank, make_bank, read_bank
from ..core.train.data.captions import Concept
from ..core.train.plan import TrainPlan, plan_digest
from .backend import places
from .ui.progress import NodeProgress, send

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from ..core.train.curves import Curves
    from ..core.train.records import Picture, StepRecord, Trained
    from .backend.model.trainer import ComfyTrainer

DEMO_PICTURES = "[demo] concept"
"""Choice for the five pictures that ship with the demo base."""
EVENT = "owf.training"
"""Name of the message that web/owf.js listens to."""
_EVERY, _PREVIEW_EVERY = 0.3, 3.0
_MOST_POINTS = 400
_SAVE_EVERY = 5.0
"""Seconds between checkpoints: as much of a cancelled training is lost."""


@dataclass(frozen=True)
class Lesson:
    """What is to be learned from."""

    images: "torch.Tensor | None"
    """IMAGE batch; None for a folder."""
    captions: str
    """One caption a line: one for each image, or one for all; empty takes the plan's."""
    folder: str
    """Folder below ComfyUI's input folder, or `DEMO_PICTURES`."""


@dataclass
class Watcher:
    """Follows a training: curves for the panel and a picture of them for the preview."""

    plan: TrainPlan
    """What is trained."""
    node_id: str | None
    """Who shows it."""
    progress: NodeProgress
    """The node's bar."""
    title: str
    """Name of the LoRA."""
    curves: "Curves | None" = None
    """The log that a training which is queued again goes on from."""
    records: "list[StepRecord]" = field(default_factory=list)
    """Every step so far."""
    doubts: list[str] = field(default_factory=list)
    """What is odd about the pictures, a sentence each."""
    _sent: float = 0.0
    _drawn: float = 0.0

    def __call__(self, record: "StepRecord") -> None:
        """Take one step; raises ComfyUI's exception if the user pressed cancel."""
        from .backend.host import check_interrupt

        check_interrupt()
        self._keep(record)
        now = time.monotonic()
        if now - self._sent > _EVERY or record.drift is not None or record.step == self.plan.steps:
            self._sent = now
            data = {"title": self.title, "step": record.step, "steps": self.plan.steps, "run": plan_digest(self.plan)}
            send(EVENT, self.node_id, {**data, "values": values(record), "targets": targets(self.plan)})
        if now - self._drawn > _PREVIEW_EVERY and len(self.records) > 1:
            self._drawn = now
            self.progress.picture(self.picture())

    def _keep(self, record: "StepRecord") -> None:
        if self.curves is not None:
            self.curves.add(record)
        if self.curves is not None and not self.records:
            self.records = self.curves.records()  # a cancelled run may have made the first ones
        else:
            self.records.append(record)

    def picture(self) -> "Image":
        """Return loss, drift and weight of drift correction as a picture."""
        from ..core.render.pictures.curves import draw_curves

        return draw_curves(self.records, self.plan.drift_budget)

    def panel(self, notes: Sequence[str]) -> dict[str, Any]:
        """Return the node's panel after the training."""
        curves: dict[str, list[tuple[int, float]]] = {}
        for record in self.records:
            for name, value in values(record).items():
                curves.setdefault(name, []).append((record.step, value))
        thin = {name: _thinned(points) for name, points in curves.items()}
        head = {"kind": "curves", "title": self.title, "steps": self.plan.steps, "run": plan_digest(self.plan)}
        return {**head, "curves": thin, "targets": targets(self.plan), "notes": list(notes)}


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return at most about `_MOST_POINTS` of them, the last among them."""
    every = -(-len(points) // _MOST_POINTS)
    return points[(len(points) - 1) % every :: every]


def values(record: "StepRecord") -> dict[str, float]:
    """Return a step's value of every curve that it has one for."""
    found = {"loss": record.loss, **{f"{name} loss": value for name, value in record.terms.items()}}
    if record.drift is not None:
        found["drift"] = record.drift
    if "dc" in record.weights:
        found["dc weight"] = record.weights["dc"]
    return found


def targets(plan: TrainPlan) -> dict[str, float]:
    """Return the line that a curve is to stay under."""
    return {"drift": plan.drift_budget} if plan.drift_budget else {}


def run_training(
    denoiser: "ComfyTrainer",
    lesson: Lesson,
    bank: tuple[str, ...] | None,
    plan: TrainPlan,
    name: str,
    watcher: Watcher,
) -> "Trained":
    """Return the trained LoRA, its file moved into ComfyUI's LoRA folder.

    Queued again after an interrupt, the same training continues from its last checkpoint to the same bytes.
    """
    from ..core.model.batch import Batch, default_batch
    from ..core.train.curves import Curves
    from ..core.train.records import TrainSetting
    from ..core.train.train import fingerprint, train

    pictures, prompts = read_lesson(lesson, plan, denoiser.resolution), make_prompts(denoiser.family, bank, plan)
    watcher.doubts = doubts(lesson)
    for sentence in watcher.doubts:
        logging.warning("OWF: %s", sentence)
    run = hashlib.sha256(f"{fingerprint(denoiser, pictures, prompts, plan)}|{name}".encode()).hexdigest()
    folder = places.reports_folder() / "training" / run[:16]
    setting = TrainSetting(
        name=name,
        folder=folder,
        cache=places.cache_folder(),
        progress=watcher.progress,
        batch=Batch(default_batch(denoiser).size),
        precision=denoiser.dtype,
        resume=True,
        save_every=_SAVE_EVERY,
        watch=watcher,
    )
    with denoiser.held(), Curves(folder, "training", board=False) as watcher.curves:
        trained = train(denoiser, pictures, prompts, plan, setting)
        watcher.records = watcher.curves.records()
    path = publish(trained.path, name)
    shutil.rmtree(folder, ignore_errors=True)
    from dataclasses import replace

    return replace(trained, path=path)


def training_report(trained: "Trained", watcher: Watcher) -> tuple[list[str], str]:
    """Return a few sentences on a training, and the same with everything that its file says of itself."""
    plan, losses = watcher.plan, [record.loss for record in watcher.records]
    last = losses[-max(1, len(losses) // 10) :]
    terms = ", ".join(f"{name} (weight {weight:.3g})" for name, weight in watcher.records[-1].weights.items())
    notes = [
        f"Saved as {trained.path.name}.",
        f"{counted(trained.steps, 'step')} of {counted(plan.batch, 'picture')}, rank {plan.rank}; "
        f"mean loss of the last {len(last)}: {sum(last) / len(last):.3g}.",
        f"Preserved by {terms or 'nothing'}.",
    ]
    if trained.drift is not None:
        notes.append(f"Drift on held-out prompts: {trained.drift:.2%}.")
    if plan.drift_budget and trained.drift is not None and trained.drift > plan.drift_budget:
        notes.append(f"That is above the budget of {plan.drift_budget:.2%}: raise dc_weight or lower rate.")
    notes += watcher.doubts
    return notes, "\n".join([*notes, "", *(f"{key}: {value}" for key, value in trained.facts)])


def make_prompts(family: str, bank: tuple[str, ...] | None, plan: TrainPlan) -> Bank:
    """Return the bank: the connected one, or the one that ships for this family."""
    prompts = bank or read_bank(DEMO if family == "demo" else DEFAULT)
    return make_bank(prompts, Concept(plan.trigger, plan.class_word), plan.bank_prompts)


def read_lesson(lesson: Lesson, plan: TrainPlan, resolution: int) -> "tuple[Picture, ...]":
    """Return the training pictures; raise UsageError unless there is exactly one source of them."""
    from ..core.train.records import Picture

    if (lesson.images is None) == (not lesson.folder):
        raise UsageError("Connect images or name a folder, one of the two.")
    side = plan.resolution or resolution
    if lesson.images is not None:
        captions = captions_for(lesson.captions, len(lesson.images), plan)
        return tuple(map(Picture, _batch_pixels(lesson.images, side, plan.bucket), captions))
    from ..core.train.data.concept import load_pictures
    from ..core.train.data.images import read_images

    images = read_images(_folder(lesson.folder), Concept(plan.trigger, plan.class_word), plan.caption)
    pixels = load_pictures(images, side, plan.bucket)
    return tuple(Picture(p, image.caption, image.repeats) for p, image in zip(pixels, images, strict=True))


def doubts(lesson: Lesson) -> list[str]:
    """Return what in the folder of pictures is not used, or not as its owner may think, a sentence each."""
    from ..core.train.data.images import survey

    if not lesson.folder:
        return []
    folder = _folder(lesson.folder)
    return survey(folder).sentences(folder)


def captions_for(text: str, count: int, plan: TrainPlan) -> list[str]:
    """Return a caption for each of `count` images."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not lines:
        lines = [Concept(plan.trigger, plan.class_word).caption(plan.caption)]
    if len(lines) not in (1, count):
        raise UsageError(f"captions has {len(lines)} lines for {count} images; give one for each, or one for all.")
    return lines * count if len(lines) == 1 else lines


def _batch_pixels(images: "torch.Tensor", side: int, bucket: int) -> "list[torch.Tensor]":
    import torch
    from PIL import Image

    from ..core.pictures import cover
    from ..core.train.data.buckets import bucket_shapes, nearest_bucket
    from .backend.images import to_bytes

    pixels = to_bytes(images)
    height, width = nearest_bucket(pixels.shape[2], pixels.shape[3], bucket_shapes(side, bucket))
    pictures = (Image.fromarray(p.movedim(0, -1).contiguous().numpy()) for p in pixels)
    return [torch.from_numpy(cover(picture, height, width)) for picture in pictures]


def _folder(name: str) -> Path:
    if name == DEMO_PICTURES:
        from ..core.demo import DEMO_CONCEPT

        return DEMO_CONCEPT
    return places.input_folder(name)


def publish(path: Path, name: str) -> Path:
    """Return where a LoRA was moved to in `<output>/loras`; another file of that name is never replaced."""
    folder = places.output_folder() / "loras"
    folder.mkdir(parents=True, exist_ok=True)
    number, target = 1, folder / f"{name}.safetensors"
    while target.exists() and target.read_bytes() != path.read_bytes():
        number += 1
        target = folder / f"{name}_{number}.safetensors"
    partial = target.with_name(target.name + ".partial")  # ComfyUI's list of files must never show half a LoRA
    shutil.copyfile(path, partial)
    partial.replace(target)
    return target
