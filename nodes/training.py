"""One training in the graph: from the node's inputs to the LoRA in ComfyUI's folder."""

import hashlib
import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.disk.files import replacing
from ..core.errors import UsageError
from ..core.text import counted
from ..core.train.data.captions import Concept
from ..core.train.plan import TrainPlan
from ..core.verdict.outcome import said
from .backend import places
from .ui.curves import Watcher
from .ui.wording import in_graph

if TYPE_CHECKING:
    import torch

    from ..core.train.records import Networks, Picture, Trained
    from .backend.model.trainer import ComfyTrainer

DEMO_PICTURES = "[demo] concept"
"""Choice for the five pictures that ship with the demo base."""
_SAVE_EVERY = 5.0
"""Seconds between checkpoints: as much of a cancelled training is lost."""


@dataclass(frozen=True)
class PictureInputs:
    """What is to be learned from, as the node has it."""

    images: "torch.Tensor | None"
    """IMAGE batch; None for a folder."""
    captions: str
    """One caption a line: one for each image, or one for all; empty takes the plan's."""
    folder: str
    """Folder below ComfyUI's input folder, or `DEMO_PICTURES`."""


def run_training(
    denoiser: "ComfyTrainer",
    inputs: PictureInputs,
    bank: tuple[str, ...] | None,
    plan: TrainPlan,
    name: str,
    watcher: Watcher,
    networks: "Networks | None",
) -> "Trained":
    """Return the trained LoRA, its file moved into ComfyUI's LoRA folder.

    `networks` see whether it learned its concept; None does not ask.

    Queued again after an interrupt, the same training continues from its last checkpoint to the same bytes.
    """
    from ..core.model.batch import Batching, default_batching
    from ..core.train.curves import Curves
    from ..core.train.records import TrainSetting
    from ..core.train.session import TrainRequest, TrainSession

    pictures = pictures_from(inputs, plan, denoiser.resolution)
    session = TrainSession(TrainRequest(plan, pictures, bank=bank or None))
    watcher.left_out = session.left_out()
    for sentence in watcher.left_out:
        logging.warning("OWF: %s", sentence)
    training = session.on(denoiser)
    run = hashlib.sha256(f"{training.fingerprint()}|{name}".encode()).hexdigest()
    folder = places.reports_folder() / "training" / run[:16]
    setting = TrainSetting(
        name=name,
        folder=folder,
        cache=places.cache_folder(),
        progress=watcher.progress,
        batch=Batching(default_batching(denoiser).size),  # ComfyUI is not made for several threads in one model
        resume=True,
        save_every=_SAVE_EVERY,
        watch=watcher,
        networks=networks,
    )
    with denoiser.held(), Curves(folder, "training", board=False) as watcher.curves:
        trained = training.train(setting, watcher.curves)
        watcher.records = watcher.curves.records()
    path = publish(trained.path, name)
    shutil.rmtree(folder, ignore_errors=True)
    return replace(trained, path=path)


def learned_networks(denoiser: "ComfyTrainer", watcher: Watcher) -> "Networks":
    """Return what loads the networks for a base, under ComfyUI's memory management."""
    from ..core.metrics.images.features import Fetching
    from ..core.train.learned.networks import load_networks
    from .backend.features import HostFeatures

    return lambda: load_networks(denoiser.family, Fetching(progress=watcher.progress), HostFeatures)


def pictures_from(inputs: PictureInputs, plan: TrainPlan, resolution: int) -> "Path | tuple[Picture, ...]":
    """Return the folder or the images to learn from; raise UsageError unless there is exactly one of them."""
    from ..core.train.records import Picture

    if (inputs.images is None) == (not inputs.folder):
        raise UsageError("Connect images or name a folder, one of the two.")
    if inputs.images is None:
        return _folder(inputs.folder)
    captions = captions_for(inputs.captions, len(inputs.images), plan)
    return tuple(map(Picture, _batch_pixels(inputs.images, plan.resolution or resolution, plan.bucket), captions))


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
    if trained.learning is not None:
        notes.insert(0, said(trained.learning, in_graph))
    if trained.drift is not None:
        notes.append(f"Drift on held-out prompts: {trained.drift:.2%}.")
    if trained.is_above(plan.drift_budget):
        notes.append(f"That is above the budget of {plan.drift_budget:.2%}: raise dc_weight or lower rate.")
    notes += watcher.left_out
    return notes, "\n".join([*notes, "", *(f"{key}: {value}" for key, value in trained.facts)])


def publish(path: Path, name: str) -> Path:
    """Return where a LoRA was moved to in `<output>/loras`; another file of that name is never replaced."""
    folder = places.output_folder() / "loras"
    folder.mkdir(parents=True, exist_ok=True)
    number, target = 1, folder / f"{name}.safetensors"
    while target.exists() and target.read_bytes() != path.read_bytes():
        number += 1
        target = folder / f"{name}_{number}.safetensors"
    with path.open("rb") as trained, replacing(target) as file:  # ComfyUI's list must never show half a LoRA
        shutil.copyfileobj(trained, file)
    return target
