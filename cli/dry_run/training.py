"""What dry runs say of trainings: memory and time here and on cards, and what would let them fit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from ...core.model.blueprint import Blueprint
from ...core.model.cards import CARDS, Card
from ...core.model.diffusion.batch import batching_for
from ...core.model.footprint import GIB, LoraBytes, footprint
from ...core.model.memory import QUANTIZED, TRAINING_OFFLOADS
from ...core.train.forecast.memory import TrainMemories, Way
from .machine import Pace, memory_words, named, pace_here, pace_of, time_words


@dataclass(frozen=True)
class TrainingsAhead:
    """Trainings that a command would make, and what it does besides."""

    base: Blueprint
    """What would be loaded."""
    memories: TrainMemories
    """What they take."""
    way: Way
    """How the options let them run."""
    device: torch.device
    """Where, on this machine."""
    dtype: torch.dtype
    """Type of the weights there."""
    dtype_on_cards: torch.dtype
    """Type of the weights on a GPU."""
    trained: Callable[[bool], float]
    """Rows in steps, in terms of rows without gradients; told whether activations are computed anew."""
    others: float
    """Rows besides."""
    audits: bool
    """Whether what was trained is audited."""
    audits_must_fit: bool
    """Whether that has to fit; else it is said where it does not."""

    def seconds(self, way: Way, pace: Pace) -> float:
        """Return how long all of it takes."""
        return self.trained(way.checkpointing) * pace.alone + self.others * pace.together

    def needed(self, way: Way, dtype: torch.dtype, device: str) -> int:
        """Return the bytes that a kind of device is to have."""
        trainings = self.memories.needed(way, dtype, device)
        return max(trainings, self.audited(way, dtype, device)) if self.audits_must_fit else trainings

    def audited(self, way: Way, dtype: torch.dtype, device: str) -> int:
        """Return the bytes that it is to have for an audit, in which the LoRA is merged where it can be; 0 for none."""
        if not self.audits:
            return 0
        step = self.memories.fullest(dtype).step
        batch = batching_for(self.base.latent_shape, device, takes_turns=way.keeping.takes_turns)
        lora = LoraBytes(step.changed, step.trained)
        return footprint(self.base, dtype, batch.size * batch.workers, way.keeping, lora).needed


def lines(ahead: TrainingsAhead) -> Iterator[str]:
    """Yield what a step takes, then memory and time on this machine and on cards that people have."""
    yield _step(ahead)
    yield _here(ahead)
    for card in CARDS:
        yield _on_card(ahead, card)


def _step(ahead: TrainingsAhead) -> str:
    fullest = ahead.memories.fullest(ahead.dtype)
    student, teacher = fullest.rows
    row, anew = (fullest.step.row(checkpointing) / GIB for checkpointing in (False, True))
    beside = f", and before them {teacher} of the base" if teacher else ""
    return (
        f"A step has {student} rows with gradients at once{beside}; their activations take {student * row:.2f} GB in "
        f"{named(ahead.dtype)}, {student * anew:.2f} with checkpointing. {fullest.step.trained / 1e6:,.1f} M numbers "
        "are trained."
    )


def _here(ahead: TrainingsAhead) -> str:
    way, kind = ahead.way, ahead.device.type
    batch = batching_for(ahead.base.latent_shape, kind, takes_turns=way.keeping.takes_turns)
    other = replace(way, checkpointing=not way.checkpointing)
    told = ""
    if ahead.memories.allow(other):
        word = "without" if way.checkpointing else "with"
        told = f", {word} checkpointing {ahead.needed(other, ahead.dtype, kind) / GIB:.1f} GB"
    pace = pace_here(ahead.base, ahead.device, ahead.dtype, batch)
    needed = ahead.needed(way, ahead.dtype, kind)
    return (
        f"This machine ({kind}, {named(ahead.dtype)}), {way.words()}: {memory_words(needed, ahead.device)}{told}; "
        f"about {time_words(ahead.seconds(way, pace))}"
    )


def _on_card(ahead: TrainingsAhead, card: Card) -> str:
    dtype, size = ahead.dtype_on_cards, card.gigabytes * GIB
    allowed = [way for way in ways(ahead.way) if ahead.memories.allow(way)]
    for way in allowed:
        if ahead.memories.least(way, dtype) > size:  # counting a step takes a while
            continue
        needed = ahead.needed(way, dtype, "cuda")
        if needed <= size:
            audit = ahead.audited(way, dtype, "cuda")
            more = f"; but not the audit at its end, which takes {audit / GIB:.1f} GB" if audit > size else ""
            return (
                f"Card of {card.gigabytes} GB ({card.name}, {named(dtype)}), {way.words()}: {needed / GIB:.1f} GB{more}"
                f"; about {time_words(ahead.seconds(way, pace_of(card, ahead.base)))}"
            )
    leanest = ahead.needed(allowed[-1], dtype, "cuda")
    return f"Card of {card.gigabytes} GB ({named(dtype)}): too small, {leanest / GIB:.1f} GB at least"


def ways(asked: Way) -> Iterator[Way]:
    """Yield how trainings may run, from what was asked to the leanest: rounded weights, another base, come last."""
    keeping = asked.keeping
    rounded = QUANTIZED if keeping.quantize == "none" else (keeping.quantize,)
    found: dict[Way, None] = {asked: None}
    for quantize in rounded:
        for offload in TRAINING_OFFLOADS[TRAINING_OFFLOADS.index(keeping.offload) :]:
            found[Way(replace(keeping, offload=offload, quantize=quantize), True)] = None
    yield from found
