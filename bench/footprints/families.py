"""Rows and memory of a `quick` audit on the usual base of every family, and on others of its size."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from owf.core import families
from owf.core.audit.evidence.cost import Cost, audit_cost
from owf.core.audit.request import AuditRequest, plan_for
from owf.core.model.base import BaseChoice
from owf.core.model.blueprint import Blueprint, blueprint
from owf.core.model.diffusion.batch import batching_for
from owf.core.model.footprint import GIB, footprint
from owf.core.model.memory import TILE, Keeping
from owf.core.plan.audit_plan import AuditPlan

from .loras import lora_bytes

WAYS = (
    Keeping(),
    Keeping("model"),
    Keeping(quantize="int8"),
    Keeping("model", "int8"),
    Keeping(quantize="nf4", tile=TILE),
    Keeping("model", "nf4", TILE),
    Keeping("group", tile=TILE),
)
"""Ways of keeping a base, from the fastest to the leanest: what waits layer by layer comes to the card every batch."""
SMALL = 8
"""GiB of a small card."""
_DIRECTIONS = {1.0: "none"}
"""Scale of guidance -> what it is called where it is none."""


@dataclass(frozen=True)
class Asked:
    """A `quick` audit on a base."""

    hub_id: str
    base: Blueprint
    plan: AuditPlan
    cost: Cost
    """Rows of the denoiser."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights on a GPU, unless another is asked."""
        return getattr(torch, self.base.pipeline.half)

    @property
    def rows(self) -> int:
        """Rows that go through the denoiser of a GPU at once."""
        return batching_for(self.base.latent_shape, "cuda").size

    def needed(self, keeping: Keeping) -> float:
        """Return the GiB that a card is to have."""
        return footprint(self.base, self.dtype, self.rows, keeping, lora_bytes(self.base)).needed / GIB


@cache
def asked(hub_id: str) -> Asked:
    """Return the audit on a base of the hub, which is only looked at."""
    base = blueprint(BaseChoice(hub_id, "hub"))
    plan, _ = plan_for(AuditRequest(), base.family.name, base.made_for, names=(hub_id,))
    base.network.resize(plan.side(base.made_for))
    return Asked(hub_id, base, plan, audit_cost(plan, plan.per_class * len(plan.classes)))


def hub_ids() -> Iterator[tuple[str, ...]]:
    """Yield the bases of each family that audits run on and whose sizes are known, its usual one first."""
    for family in families.audited():
        if family.ships is None and family.hub_id is not None:
            yield family.hub_id, *family.of_its_size


def rows_table() -> Iterator[str]:
    """Yield the lines of the table of rows."""
    yield "| base | side | steps | guidance | rows for a LoRA | rows of the base, once |"
    yield "|---|---|---|---|---|---|"
    for hub_id in (each for ids in hub_ids() for each in ids):
        one = asked(hub_id)
        guidance = _DIRECTIONS.get(one.plan.guidance_scale, f"{one.plan.guidance_scale:g}")
        yield (
            f"| {hub_id} | {one.base.resolution} px | {one.plan.sampling_steps} | {guidance} | {one.cost.tuned:,} | "
            f"{one.cost.base:,} |"
        )


def memory_table() -> Iterator[str]:
    """Yield the lines of the table of memory, in GiB; the last cell is the first way that a small card is enough for.

    Bases of one size take the same.
    """
    heads = [short(way) for way in WAYS]
    yield f"| base | type, rows at once | {' | '.join(heads)} | {SMALL} GB |"
    yield f"|{'---|' * (len(heads) + 3)}"
    for usual, *_ in hub_ids():
        one = asked(usual)
        needed = {way: one.needed(way) for way in WAYS}
        fits = next((short(way) for way, gigabytes in needed.items() if gigabytes <= SMALL), "nothing")
        cells = " | ".join(f"{gigabytes:.1f}" for gigabytes in needed.values())
        yield f"| {one.base.family.title} | {one.base.pipeline.half}, {one.rows} | {cells} | {fits} |"


def short(way: Keeping) -> str:
    """Return a way of keeping a base as it is said in the head of a column."""
    said = [f"offload {way.offload}" if way.offload != "none" else "", way.quantize if way.quantize != "none" else ""]
    return ", ".join(filter(None, [*reversed(said), "tiles" if way.tile else ""])) or "as loaded"
