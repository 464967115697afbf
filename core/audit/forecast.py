"""What an audit would ask, cost and need, before anything is loaded."""

import math
from dataclasses import dataclass

from ..adapter import Adapter, MatchReport
from ..adapter.apply.match import Matching, match_modules
from ..model.blueprint import Blueprint
from ..model.footprint import LoraBytes
from ..plan.audit_plan import AuditPlan
from .change import mismatch
from .evidence.cost import Cost


@dataclass(frozen=True)
class Forecast:
    """An audit of one LoRA on one base."""

    base: Blueprint
    """What would be loaded."""
    plan: AuditPlan
    """What would be asked."""
    cost: Cost
    """Rows of the denoiser."""
    coverage: str
    """How much of the file would take effect, as a sentence's end."""
    refusal: str | None
    """Why the file would be INVALID, as far as names and shapes say; None where they say nothing."""
    lora: LoraBytes
    """What the LoRA adds to the weights."""
    likeness: int
    """Rows at the most for the likeness to reference pictures; 0 where there are none."""


def forecast(adapter: Adapter, base: Blueprint, plan: AuditPlan, cost: Cost, likeness: int) -> Forecast:
    """Return what is to be expected; the LoRA's tensors are not read."""
    matching = match_modules(adapter, base.components)
    effect = matching.takes_effect
    broken = effect.left_out[: len(adapter.broken)]
    # Norms are not known, which is no problem; nor is yet whether numbers are finite.
    unread = MatchReport(effect, matching.unexpected, math.nan, math.nan, (), broken, matching.changes_text)
    coverage, refusal = effect.sentence("would apply to"), mismatch(adapter, unread.problems)
    return Forecast(base, plan, cost, coverage, refusal, _bytes(matching), likeness)


def _bytes(matching: Matching) -> LoraBytes:
    biased = {pair.owner for pair in matching.matched if pair.module.changes_bias}
    merged = 0
    for owner in {pair.owner for pair in matching.matched}:
        for name, parameter in owner.named_parameters(recurse=False):
            merged += parameter.numel() if name == "weight" or owner in biased else 0
    factors = sum(entry.numel for module in matching.modules for entry in module.factors.values())
    return LoraBytes(merged, factors)
