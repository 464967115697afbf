"""`owf-audit --dry-run`: what an audit would ask, how long it would take and how much memory, with nothing loaded."""

from dataclasses import dataclass
from typing import Any

import torch

from ..core.adapter import Adapter
from ..core.audit.evidence.cost import audit_cost
from ..core.audit.forecast import Forecast, forecast
from ..core.audit.references import concept_of, likeness_rows
from ..core.audit.request import AuditRequest, plan_for
from ..core.datasets.accounts import account
from ..core.model.base import BaseChoice
from ..core.model.blueprint import blueprint
from ..core.model.cards import CARDS, SHARE, TRANSFER, Card
from ..core.model.diffusion.batch import batching_for
from ..core.model.diffusion.speed import attained, memory_of
from ..core.model.footprint import GIB, footprint
from ..core.model.memory import TILE, Keeping
from ..core.model.names import base_names
from ..core.plan.presets import PAPER
from ..core.text import inert

WAYS = (Keeping(), Keeping("model"), Keeping("model", tile=TILE), Keeping("group", tile=TILE))
"""How a base may be kept, from the fastest to the leanest."""


def foresee(adapter: Adapter, choice: BaseChoice, request: AuditRequest) -> Forecast:
    """Return what is to be expected of the audit of a LoRA on a base that is only looked at."""
    base = blueprint(choice)
    names = (base.name, *base_names(choice))
    plan, labelled = plan_for(request, base.family.name, base.resolution, names=names)
    count = len(plan.classes) * plan.per_class if labelled is None else len(labelled.labels)
    concept = concept_of(request.concept, adapter.trigger_words) if request.references else None
    likeness = likeness_rows(concept, base.family.name, plan.form)
    return forecast(adapter, base, plan, audit_cost(plan, count), likeness)


@dataclass(frozen=True)
class Here:
    """How the audit would run on this machine."""

    device: torch.device
    """Where."""
    dtype: torch.dtype
    """Type of the weights."""
    batch: int
    """Rows at once; 0 for what is usual."""
    keeping: Keeping
    """How the base would be kept."""


def print_forecast(console: Any, adapter: Adapter, seen: Forecast, here: Here) -> None:
    """Print a forecast for this machine and for cards that people have."""
    for line in lines(adapter, seen, here):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def lines(adapter: Adapter, seen: Forecast, here: Here) -> list[str]:
    """Return the lines of a forecast."""
    plan, cost, base = seen.plan, seen.cost, seen.base
    operations = base.row_operations
    said = "nothing in names and shapes speaks against it" if seen.refusal is None else f"INVALID: {seen.refusal}"
    return [
        f"{inert(adapter.path.name)}: {', '.join(adapter.algorithms)}; {seen.coverage}; {said}",
        f"Base: {inert(base.name, 200)}, {base.family.title}, {base.resolution} px; "
        + ", ".join(f"{name} {_millions(module)}" for name, module in _weighted(seen)),
        f"Plan: preset {plan.preset}: {', '.join(plan.metrics)}; {len(plan.prompts)} prompts as {plan.prompt_form}, "
        f"{plan.images} images of {plan.sampling_steps} steps at guidance {plan.guidance_scale:g}",
        *filter(None, [account(plan.dataset) if plan.preset == PAPER else ""]),
        f"Rows of the denoiser: {cost.tuned:,} for the LoRA, {cost.base:,} for the base (once, then cached), "
        f"{operations / 1e12:.3g} TFLOP each" + _likeness(seen),
        "",
        *_here(seen, here, operations),
        *(line for card in CARDS for line in _on_card(seen, card, operations)),
        "Memory follows from shapes; times are guesses within a factor of two or three, of a machine that does "
        "nothing else. Nothing was loaded.",
    ]


def _likeness(seen: Forecast) -> str:
    return f"; at most {seen.likeness:,} more for the likeness to the references" if seen.likeness else ""


def _weighted(seen: Forecast) -> list[tuple[str, torch.nn.Module]]:
    return [(part.title, seen.base.parts.models[part.name]) for part in seen.base.pipeline.weighted]


def _millions(module: torch.nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in module.parameters()) / 1e6:,.0f} M"


def _here(seen: Forecast, here: Here, operations: int) -> list[str]:
    batch = batching_for(seen.base.latent_shape, here.device.type, takes_turns=here.keeping.takes_turns)
    rows = (here.batch or batch.size) * batch.workers
    needed = footprint(seen.base, here.dtype, rows, here.keeping, seen.lora).needed
    there = memory_of(here.device)
    of = f" of {there / GIB:.1f} GB" if there else ""
    fits = "" if there is None or needed <= there else ", which is not enough"
    rate = attained(here.device, here.dtype) * SHARE
    return [
        f"This machine ({here.device}, {str(here.dtype).removeprefix('torch.')}, {rows} rows at once, "
        f"{here.keeping.words()}): "
        f"{needed / GIB:.1f} GB{of}{fits}; about {_times(seen, operations / rate)}"
    ]


def _on_card(seen: Forecast, card: Card, operations: int) -> list[str]:
    rows = batching_for(seen.base.latent_shape, "cuda").size
    for keeping in WAYS:
        needed = footprint(seen.base, torch.float16, rows, keeping, seen.lora).needed
        if needed <= card.gigabytes * GIB:
            seconds = operations / (card.operations * SHARE)
            if keeping.offload == "group":  # every layer goes to the card once for each batch
                seconds += _moved(seen) / TRANSFER / rows
            return [
                f"Card of {card.gigabytes} GB ({card.name}, float16, {rows} rows at once), {keeping.words()}: "
                f"{needed / GIB:.1f} GB; about {_times(seen, seconds)}"
            ]
    plain = footprint(seen.base, torch.float16, rows, Keeping(), seen.lora).needed
    return [f"Card of {card.gigabytes} GB: too small, {plain / GIB:.1f} GB are needed as loaded"]


def _moved(seen: Forecast) -> int:
    """Return the bytes of the denoiser's weights."""
    denoiser = seen.base.parts.models[seen.base.pipeline.parts[0].name]
    return sum(parameter.numel() for parameter in denoiser.parameters()) * torch.float16.itemsize


def _times(seen: Forecast, seconds_per_row: float) -> str:
    lora, base = (_time(rows * seconds_per_row) for rows in (seen.cost.tuned, seen.cost.base))
    return f"{lora} for the LoRA, {base} for the base"


def _time(seconds: float) -> str:
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
