"""What dry runs say of machines: how fast rows go, how much memory there is, and both as people say it."""

from dataclasses import dataclass

import torch

from ...core.model.base import BaseChoice
from ...core.model.blueprint import Blueprint
from ...core.model.cards import SHARE, Card
from ...core.model.diffusion.batch import Batching
from ...core.model.diffusion.speed import attained, memory_of
from ...core.model.footprint import GIB
from ...core.model.names import contradiction
from ...core.text import inert

CLOSING = (
    "Memory follows from shapes; times are guesses within a factor of two or three, of a machine that does "
    "nothing else. Nothing was loaded."
)
"""What a dry run ends with."""


@dataclass(frozen=True)
class Pace:
    """Seconds of a row through the denoiser without gradients."""

    alone: float
    """Where one batch is computed after the other, as in the steps of a training."""
    together: float
    """Where slices of a batch run side by side, as a processor does it with small models."""


def pace_here(base: Blueprint, device: torch.device, dtype: torch.dtype, batch: Batching) -> Pace:
    """Return how fast rows go on this machine, with the threads that torch will have."""
    speed = attained(device, dtype, threads=1 if batch.workers > 1 else 0)
    alone = base.row_operations / (speed * SHARE)
    return Pace(alone, alone / batch.workers)


def pace_of(card: Card, base: Blueprint) -> Pace:
    """Return how fast rows go on a card."""
    seconds = base.row_operations / (card.operations * SHARE)
    return Pace(seconds, seconds)


def memory_words(needed: int, device: torch.device) -> str:
    """Return how much memory is needed here, of how much, and whether that is too little."""
    there = memory_of(device)
    of = f" of {there / GIB:.1f} GB" if there else ""
    fits = "" if there is None or needed <= there else ", which is not enough"
    return f"{needed / GIB:.1f} GB{of}{fits}"


def base_lines(base: Blueprint, choice: BaseChoice) -> list[str]:
    """Return what a base is and how large its parts are, and whether its name and its settings disagree."""
    parts = ((part.title, base.parts.models[part.name]) for part in base.pipeline.weighted)
    sizes = ", ".join(f"{title} {_millions(module)}" for title, module in parts)
    line = f"Base: {inert(base.name, 200)}, {base.family.title}, {base.made_for} px; {sizes}"
    return [line, *filter(None, [contradiction(choice)])]


def _millions(module: torch.nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in module.parameters()) / 1e6:,.0f} M"


def named(dtype: torch.dtype) -> str:
    """Return a type as options call it."""
    return str(dtype).removeprefix("torch.")


def time_words(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
