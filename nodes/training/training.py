"""One training in the graph: from the node's inputs to the LoRA in ComfyUI's folder."""

import hashlib
import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.disk.files import replacing
from ...core.disk.writable import require_writable
from ...core.errors import Setting, UsageError
from ...core.plan.concept import Concept
from ...core.train.plan import TrainPlan
from ..backend import places
from ..ui.curves import Watcher
from ..ui.wording import in_graph

if TYPE_CHECKING:
    import torch

    from ...core.train.records import Networks, Picture, Trained
    from ..backend.model.trainer import ComfyTrainer

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
    from ...core.model.diffusion.batch import Batching, default_batching
    from ...core.train.curves import Curves
    from ...core.train.records import TrainSetting
    from ...core.train.session import TrainRequest, TrainSession

    pictures = pictures_from(inputs, plan, denoiser.resolution)
    session = TrainSession(TrainRequest(plan, pictures, bank=bank or None))
    watcher.left_out = session.left_out()
    for sentence in watcher.left_out:
        logging.warning("OWF: %s", sentence)
    training = session.on(denoiser)
    run = hashlib.sha256(f"{training.fingerprint()}|{name}".encode()).hexdigest()
    folder = places.reports_folder() / "training" / run[:16]
    require_places(folder)
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
    watcher.progress.resumes = True
    with denoiser.held(), Curves(folder, "training", board=False) as watcher.curves:
        trained = training.train(setting, watcher.curves)
        watcher.records = watcher.curves.records()
    path = publish(trained.path, name)
    shutil.rmtree(folder, ignore_errors=True)
    return replace(trained, path=path)


def require_places(folder: Path) -> None:
    """Raise UsageError where a training in `folder` or its LoRA could not be written; after it, that is too late."""
    for place in (folder, places.cache_folder(), places.loras_folder()):
        require_writable(place, Setting("out"))


def learned_networks(denoiser: "ComfyTrainer", watcher: Watcher) -> "Networks":
    """Return what loads the networks for a base, under ComfyUI's memory management."""
    from ...core.audit.learned.networks import load_networks
    from ...core.metrics.images.features import Fetching
    from ..backend.features import HostFeatures

    return lambda: load_networks(denoiser.family, Fetching(progress=watcher.progress), HostFeatures)


def pictures_from(inputs: PictureInputs, plan: TrainPlan, resolution: int) -> "Path | tuple[Picture, ...]":
    """Return the folder or the images to learn from; raise UsageError unless there is exactly one of them."""
    from ...core.train.records import Picture

    require_pictures(inputs.images is not None, inputs.folder)
    if inputs.images is None:
        return _folder(inputs.folder)
    captions = captions_for(inputs.captions, len(inputs.images), plan)
    return tuple(map(Picture, _batch_pixels(inputs.images, plan.resolution or resolution, plan.bucket), captions))


def require_pictures(connected: bool, folder: str) -> None:
    """Raise UsageError unless there is exactly one source of pictures, and a folder that is named is there."""
    if connected == bool(folder):
        raise UsageError("Connect images or name a folder, one of the two.")
    if folder:
        _folder(folder)


def captions_for(text: str, count: int, plan: TrainPlan) -> list[str]:
    """Return a caption for each of `count` images."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not lines:
        lines = [Concept(plan.trigger, plan.class_word).caption(plan.caption)]
    if len(lines) not in (1, count):
        raise UsageError(f"captions has {len(lines)} lines for {count} images; give one for each, or one for all.")
    return lines * count if len(lines) == 1 else lines


def _batch_pixels(images: "torch.Tensor", side: int, bucket: int) -> "list[torch.Tensor]":
    from PIL import Image

    from ...core.train.data.buckets import bucket_shapes
    from ...core.train.data.concept import in_bucket
    from ..backend.images import to_bytes

    shapes = bucket_shapes(side, bucket)
    return [in_bucket(Image.fromarray(p.movedim(0, -1).contiguous().numpy()), shapes) for p in to_bytes(images)]


def _folder(name: str) -> Path:
    if name == DEMO_PICTURES:
        from ...core.demo import DEMO_CONCEPT

        return DEMO_CONCEPT
    return places.input_folder(name)


def training_report(trained: "Trained", watcher: Watcher) -> tuple[list[str], str]:
    """Return a few sentences on a training, and the same with everything that its file says of itself."""
    from ...core.train.summary import notes

    found = [*notes(trained, watcher.plan, watcher.records, in_graph), *watcher.left_out]
    return found, "\n".join([*found, "", *(f"{key}: {value}" for key, value in trained.facts)])


def publish(path: Path, name: str) -> Path:
    """Return where a LoRA was moved to in `<output>/loras`; another file of that name is never replaced."""
    folder = places.loras_folder()
    folder.mkdir(parents=True, exist_ok=True)
    number, target = 1, folder / f"{name}.safetensors"
    while target.exists() and target.read_bytes() != path.read_bytes():
        number += 1
        target = folder / f"{name}_{number}.safetensors"
    with path.open("rb") as trained, replacing(target) as file:  # ComfyUI's list must never show half a LoRA
        shutil.copyfileobj(trained, file)
    return target
