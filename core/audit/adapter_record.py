"""What a report says about the LoRA and about where it was measured."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from ..adapter import Adapter, MatchReport
from ..adapter.adapter import Below
from ..adapter.blocks import block_norms
from ..adapter.naming.stated.stated_base import base_digits, stated_base
from ..model.diffusion.denoiser import Denoiser, Hosted
from ..text import inert
from ..verdict.report import AdapterRecord, BlockChange
from ..versions import versions
from .base.base_in_use import other_clip_skip, other_family

CLIP_SKIP = "trained with clip skip"
"""Detail of a LoRA: the layer of the text encoder at which prompts were read, counted from its last."""
PREDICTION = "prediction type"
"""Detail of a LoRA: what the base that it was trained on predicts."""
NAMED_UNMATCHED = 10
"""Modules and tensors without effect that are named one by one."""


def adapter_record(
    adapter: Adapter, match: MatchReport, strength: float, way: str = "", below: Sequence[Below] = ()
) -> AdapterRecord:
    """Return what the report says about the LoRA, every text of strangers made inert.

    `way` says how it was applied where it was not merged, and `below` what was applied besides.
    """
    left_out = tuple(f"{item.name}: {item.reason}" for item in match.unmatched[:NAMED_UNMATCHED])
    return AdapterRecord(
        name=inert(adapter.path.name),
        sha256=adapter.hashes.sha256,
        format=adapter.format,
        algorithm=", ".join(adapter.algorithms),
        family=adapter.family or "unknown",
        strength=strength,
        matched=match.matched,
        unmatched=len(match.unmatched),
        delta_norm=match.relative_change,
        details=_details(adapter, match) | ({"applied": way} if way else {}) | _stack(below),
        warnings=(*_together(strength, below), *map(inert, adapter.warnings), *map(inert, left_out)),
        blocks=_blocks(match),
    )


def with_base(record: AdapterRecord, denoiser: Denoiser, other_base: str = "") -> AdapterRecord:
    """Return the record with a warning where the file says that it was trained on another kind of base.

    `other_base` is the sentence of `base_in_use.difference` where a host compared the two, and else empty.
    """
    predicts = denoiser.schedule.prediction_type
    skip = other_clip_skip(record.details.get(CLIP_SKIP, ""), denoiser.clip_skip, denoiser.family)
    warnings = list(filter(None, (other_family(record.family, denoiser.family), other_base, skip)))
    stated = record.details.get(PREDICTION, predicts)
    if stated != predicts:
        warnings.append(
            f"By its metadata the LoRA was trained on a base that predicts {stated}, and this one predicts {predicts}: "
            "it was measured on another kind of base than it was made for."
        )
    return replace(record, warnings=(*record.warnings, *warnings))


def _blocks(match: MatchReport) -> tuple[BlockChange, ...]:
    """Return where the change sits, from the norms that matching took with the LoRA off."""
    return tuple(
        BlockChange(
            component=inert(norms.block.component),
            block=inert(norms.block.title),
            kind=norms.kind,
            modules=norms.modules,
            relative=norms.relative if math.isfinite(norms.relative) else None,
        )
        for norms in block_norms(match.norms)
    )


def _stack(below: Sequence[Below]) -> dict[str, str]:
    """Return which LoRAs were applied besides, by name, hash and strength."""
    each = (f"{inert(b.adapter.path.name, 80)} ({b.adapter.hashes.autov2}) at {b.strength:g}" for b in below)
    return {"applied with": ", ".join(each)} if below else {}


def _together(strength: float, below: Sequence[Below]) -> tuple[str, ...]:
    """Return what a reader must know of what was compared with what."""
    if below:
        named = _stack(below)["applied with"]
        return (f"Measured together with {named}: the numbers are of all of them, against the base without any.",)
    return () if strength else ("Strength 0 leaves the base as it is: this report compares the base with itself.",)


def _details(adapter: Adapter, match: MatchReport) -> dict[str, str]:
    width, height = adapter.resolution or (0, 0)
    details = {
        "rank": ", ".join(map(str, adapter.ranks)),
        "alpha": ", ".join(f"{a:g}" for a in adapter.alphas),
        "trigger words": ", ".join(adapter.trigger_words),
        "trained on": adapter.training.base_model,
        "hash of that base": base_digits(stated_base(adapter.training)),
        "training size": f"{width} x {height} px" if adapter.resolution else "",
        "training steps": adapter.training.steps,
        CLIP_SKIP: adapter.training.clip_skip,
        PREDICTION: adapter.prediction_type or "",
        "AutoV1": adapter.hashes.autov1 or "",
        "AutoV2": adapter.hashes.autov2,
        "AutoV3": adapter.hashes.autov3 or "",
        "coverage": match.coverage,
    }
    return {name: inert(value) for name, value in details.items() if value}


def environment(denoiser: Denoiser) -> dict[str, str]:
    """Return versions and place of the computation."""
    place = {"device": denoiser.device.type, "dtype": str(denoiser.dtype).removeprefix("torch.")}
    if denoiser.device.type == "cuda":
        place["gpu"] = torch.cuda.get_device_name(denoiser.device)
    host = denoiser.host if isinstance(denoiser, Hosted) else {}
    made = versions()
    python = made.pop("python")  # the order counts: stores of base results are named by it
    return {**made, **host, **place, "python": python}
