"""`owf-audit --dry-run`: what an audit would ask, how long it would take and how much memory, with nothing loaded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from ...core.adapter import Adapter
from ...core.audit.evidence.cost import audit_cost
from ...core.audit.forecast import Forecast, forecast
from ...core.audit.references import concept_of, likeness_rows
from ...core.audit.request import AuditRequest, plan_for
from ...core.datasets.accounts import account
from ...core.model.base import BaseChoice
from ...core.model.blueprint import blueprint
from ...core.model.cards import CARDS, TRANSFER, Card
from ...core.model.diffusion.batch import Batching, batching_for
from ...core.model.footprint import GIB, footprint, part_weights
from ...core.model.memory import OFFLOADS, TILE, Keeping
from ...core.model.names import base_names
from ...core.plan.presets import PAPER
from ...core.text import inert
from .machine import CLOSING, base_lines, memory_words, named, pace_here, pace_of, time_words

WAYS = (Keeping(), Keeping("model"), Keeping("model", tile=TILE), Keeping("group", tile=TILE))
"""How a base may be kept, from the fastest to the leanest."""


def foresee(adapter: Adapter, choice: BaseChoice, request: AuditRequest) -> Forecast:
    """Return what is to be expected of the audit of a LoRA on a base that is only looked at."""
    base = blueprint(choice)
    names = (base.name, *base_names(choice))
    plan, labelled = plan_for(request, base.family.name, base.made_for, names=names)
    base.network.resize(plan.side(base.made_for))
    count = len(plan.classes) * plan.per_class if labelled is None else len(labelled.labels)
    concept = concept_of(request.concept, adapter.trigger_words) if request.references else None
    likeness = likeness_rows(concept, base.family.name, plan.form)
    return forecast(adapter, base, plan, audit_cost(plan, count), likeness)


@dataclass(frozen=True)
class Asked:
    """How the audit would run, by the options."""

    choice: BaseChoice
    """Where the base lies."""
    device: torch.device
    """Where, on this machine."""
    dtype: torch.dtype
    """Type of the weights there."""
    dtype_on_cards: torch.dtype
    """Type of the weights on a GPU."""
    batch: int
    """Rows at once; 0 for what is usual."""
    keeping: Keeping
    """How the base would be kept."""


def print_forecast(console: Any, adapter: Adapter, seen: Forecast, asked: Asked) -> None:
    """Print a forecast for this machine and for cards that people have."""
    for line in lines(adapter, seen, asked):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def lines(adapter: Adapter, seen: Forecast, asked: Asked) -> list[str]:
    """Return the lines of a forecast."""
    plan, cost, base = seen.plan, seen.cost, seen.base
    operations = base.row_operations
    said = "nothing in names and shapes speaks against it" if seen.refusal is None else f"INVALID: {seen.refusal}"
    return [
        f"{inert(adapter.path.name)}: {', '.join(adapter.algorithms)}; {seen.coverage}; {said}",
        *base_lines(base, asked.choice),
        f"Plan: preset {plan.preset}: {', '.join(plan.metrics)}; {len(plan.prompts)} prompts as {plan.prompt_form}, "
        f"{plan.images} images of {plan.sampling_steps} steps at guidance {plan.guidance_scale:g}"
        + (f", at {plan.resolution} px instead of {base.made_for}" if plan.resolution else ""),
        *filter(None, [account(plan.dataset) if plan.preset == PAPER else ""]),
        f"Rows of the denoiser: {cost.tuned:,} for the LoRA, {cost.base:,} for the base (once, then cached), "
        f"{operations / 1e12:.3g} TFLOP each" + _likeness(seen),
        "",
        _here(seen, asked),
        *(_on_card(seen, asked, card) for card in CARDS),
        CLOSING,
    ]


def _likeness(seen: Forecast) -> str:
    return f"; at most {seen.likeness:,} more for the likeness to the references" if seen.likeness else ""


def _here(seen: Forecast, asked: Asked) -> str:
    usual = batching_for(seen.base.latent_shape, asked.device.type, takes_turns=asked.keeping.takes_turns)
    batch = Batching(asked.batch) if asked.batch else usual
    rows = batch.size * batch.workers
    needed = footprint(seen.base, asked.dtype, rows, asked.keeping, seen.lora).needed
    seconds = pace_here(seen.base, asked.device, asked.dtype, batch).together
    if asked.device.type != "cpu":
        seconds += _moving(seen, asked.dtype, asked.keeping) / rows
    return (
        f"This machine ({asked.device}, {named(asked.dtype)}, {rows} rows at once, {asked.keeping.words()}): "
        f"{memory_words(needed, asked.device)}; about {_times(seen, seconds)}"
    )


def _on_card(seen: Forecast, asked: Asked, card: Card) -> str:
    rows, dtype = asked.batch or batching_for(seen.base.latent_shape, "cuda").size, asked.dtype_on_cards
    kept = list(ways(asked.keeping))
    for keeping in kept:
        needed = footprint(seen.base, dtype, rows, keeping, seen.lora).needed
        if needed <= card.gigabytes * GIB:
            seconds = pace_of(card, seen.base).together + _moving(seen, dtype, keeping) / rows
            return (
                f"Card of {card.gigabytes} GB ({card.name}, {named(dtype)}, {rows} rows at once), {keeping.words()}: "
                f"{needed / GIB:.1f} GB; about {_times(seen, seconds)}"
            )
    least = min(footprint(seen.base, dtype, rows, keeping, seen.lora).needed for keeping in kept)
    return (
        f"Card of {card.gigabytes} GB ({named(dtype)}, {rows} rows at once): too small, {least / GIB:.1f} GB at least"
    )


def ways(asked: Keeping) -> Iterator[Keeping]:
    """Return how a base may be kept, from what was asked to the leanest; what was rounded or tiled stays so."""
    for way in WAYS:
        if OFFLOADS.index(way.offload) < OFFLOADS.index(asked.offload):
            continue
        if (asked.quantize, way.offload) != ("nf4", "group"):
            yield replace(way, quantize=asked.quantize, tile=asked.tile or way.tile)


def _moving(seen: Forecast, dtype: torch.dtype, keeping: Keeping) -> float:
    """Return the seconds of a batch in which weights go to the card: each layer of the denoiser does, or none."""
    if keeping.offload != "group":
        return 0.0
    return part_weights(seen.base, dtype, keeping)[seen.base.pipeline.parts[0].name] / TRANSFER


def _times(seen: Forecast, seconds_per_row: float) -> str:
    lora, base = (time_words(rows * seconds_per_row) for rows in (seen.cost.tuned, seen.cost.base))
    return f"{lora} for the LoRA, {base} for the base"
