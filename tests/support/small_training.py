"""A training on the random tiny model that takes a second: two pictures, a bank of a few prompts."""

from pathlib import Path

import torch
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.progress import SILENT
from owf.core.train.data.bank import Bank
from owf.core.train.plan import TrainPlan
from owf.core.train.records import Picture, StepRecord, Trained, TrainSetting
from owf.core.train.train import train
from tiny_sd import tiny_parts

BANK = Bank(("a red shirt", "a green shoe", "a blue hat"), ("a grey coat", "a pink sock"))


def tiny_denoiser() -> DiffusersDenoiser:
    """Return the same untrained model each time."""
    return DiffusersDenoiser(tiny_parts(), "tiny", "demo")


def two_pictures() -> list[Picture]:
    """Return two square pictures of 64 pixels."""
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 256, (2, 3, 64, 64), generator=generator, dtype=torch.uint8)
    return [Picture(pixels[0], "a photo of a sks bag"), Picture(pixels[1], "a sks bag on a table")]


def small_plan(**options) -> TrainPlan:
    """Return a plan of three steps with two rows each."""
    usual = {"class_word": "bag", "steps": 3, "batch": 2, "rank": 2, "rate": 1e-2, "bucket": 0, "drift_every": 0}
    return TrainPlan(**(usual | options))


def run(folder: Path, plan: TrainPlan, denoiser: DiffusersDenoiser | None = None, **setting) -> Trained:
    """Train into `folder` and return the result; `records` in the setting collects what is told."""
    records: list[StepRecord] = setting.pop("records", [])
    usual = {"watch": records.append, "save_every": 1e9, "cache": folder / "cache", "progress": SILENT}
    full = TrainSetting("small", folder, batch=Batching(4), **(usual | setting))
    return train(denoiser or tiny_denoiser(), two_pictures(), BANK, plan, full)
