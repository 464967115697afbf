"""The audit: base and tuned measured side by side, summarised, judged and recorded."""

import dataclasses
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .adapter import Adapter
from .batch import Batch
from .change import AdapterChange, Change
from .datasets.labelled import LabelledImages
from .denoiser import Denoiser
from .errors import InvalidError
from .features import FeatureNetwork, features_of
from .measurement import Measurement
from .metrics.color import ColorRows, combine, measure_prompt, summarise_color
from .metrics.denoiser_drift import DriftRows, squared_norms, summarise_drift
from .metrics.kid import KidRows, summarise_kid
from .metrics.semantic import SemanticRows, summarise_semantic
from .model_pass import ModelPass
from .pairs import write_pairs
from .plan import AuditPlan, Cost, audit_cost, plan_data, plan_digest
from .progress import Progress
from .records import environment, with_base
from .remaining import Remaining, measured_in, remaining
from .report import BaseRecord, ImagePair, Report
from .sides import BaseSide, Side, measure_base, measure_tuned
from .store import SampleStore
from .verdict import Policy, invalid, judge

NO_KNOWLEDGE = " What was measured says how far its function moved, not what it forgot."
"""What a verdict on a base says that seems to know nothing."""


@dataclass(frozen=True)
class Setting:
    """What an audit works with, besides the plan and the models."""

    folder: Path
    """Where the pictures and the resumable samples go."""
    cache: Path
    """Where base results are kept for the next LoRA."""
    policy: Policy
    """Limits of the verdict."""
    progress: Progress
    """Who is told how far it is."""
    batch: Batch
    """UNet rows at once."""
    features: FeatureNetwork | None
    """Feature network of KID; None if the plan does not need one."""
    labelled: LabelledImages | None
    """Labelled images; None if the base is to make them."""


def audit(denoiser: Denoiser, adapter: Adapter, strength: float, plan: AuditPlan, setting: Setting) -> Report:
    """Return the report of the base with a LoRA file at a strength; see `audit_change`."""
    setting.progress.stage("Applying the LoRA")
    return audit_change(denoiser, AdapterChange(denoiser.components, adapter, strength), plan, setting)


def audit_change(denoiser: Denoiser, change: Change, plan: AuditPlan, setting: Setting) -> Report:
    """Return the report of the tuned model against the base; the change is off afterwards in any case.

    Interrupted at any moment, the same call continues where it stopped. A change that does not apply, or numbers
    that are not finite, give a report with the verdict INVALID and no measurements.
    """
    started, clock = time.strftime("%Y-%m-%dT%H:%M:%S%z"), time.monotonic()
    base = BaseRecord(denoiser.name, denoiser.family, denoiser.digest())
    cost = _cost(plan, setting)
    measurements: dict[str, Measurement] = {}
    pairs: tuple[ImagePair, ...] = ()
    try:
        _require_change(change)
        measurements, pairs, doubt = _measure(denoiser, change, plan, setting)
        verdict = judge(measurements, setting.policy)
        if doubt:
            verdict = dataclasses.replace(verdict, reasons=(*verdict.reasons, doubt + NO_KNOWLEDGE))
    except InvalidError as error:
        verdict = invalid(str(error))
    finally:
        change.off()
    return Report(
        verdict=verdict,
        base=base,
        adapter=with_base(change.record(), denoiser.schedule.prediction_type),
        plan=plan_data(plan),
        plan_digest=plan_digest(plan),
        measurements=measurements,
        pairs=pairs,
        environment=environment(denoiser),
        timing={"started": started, "seconds": round(time.monotonic() - clock, 2)},
        cost={"tuned_rows": cost.tuned, "base_rows": cost.base},
        status="complete" if measurements else "invalid",
    )


def to_do(denoiser: Denoiser, change_key: tuple[str, ...], plan: AuditPlan, setting: Setting) -> tuple[Remaining, Cost]:
    """Return the rows that `audit_change` would still compute for the change of that key, and those of all the plan."""
    files, cost = _sample_files(denoiser, change_key, plan, setting), _cost(plan, setting)
    return remaining(plan, cost, *map(measured_in, files)), cost


def _cost(plan: AuditPlan, setting: Setting) -> Cost:
    labelled = len(plan.classes) * plan.per_class if setting.labelled is None else len(setting.labelled.labels)
    return audit_cost(plan, labelled)


def _require_change(change: Change) -> None:
    refusal = change.refusal()
    if refusal is not None:
        raise InvalidError(refusal)


def _measure(
    denoiser: Denoiser, change: Change, plan: AuditPlan, setting: Setting
) -> tuple[dict[str, Measurement], tuple[ImagePair, ...], str]:
    """Return what was measured, the pictures, and what speaks against the base knowing anything, if that does."""
    base_file, run_file = _sample_files(denoiser, change.key, plan, setting)
    with SampleStore(base_file) as base_store, SampleStore(run_file) as run_store:
        base_pass = ModelPass(denoiser, plan, base_store, setting.batch, setting.progress)
        tuned_pass = ModelPass(denoiser, plan, run_store, setting.batch, setting.progress)
        cost = _cost(plan, setting)
        left = remaining(plan, cost, base_pass.before, tuned_pass.before)
        setting.progress.total(left.base + left.tuned + cost.compared)
        base = measure_base(base_pass, plan, setting.labelled)
        change.on()
        tuned = measure_tuned(tuned_pass, plan, base)
        change.off()
    setting.progress.stage("Comparing")
    try:
        measurements = _summarise(plan, base, tuned, setting, denoiser.device)
    except InvalidError as error:  # a base at chance, most of all: then this is why
        raise InvalidError(f"{error} {base.doubt}".strip()) from error
    return measurements, write_pairs(setting.folder, plan, base.images, tuned.images), base.doubt


def _sample_files(
    denoiser: Denoiser, change_key: tuple[str, ...], plan: AuditPlan, setting: Setting
) -> tuple[Path, Path]:
    """Return where the samples of the base and of the tuned model are kept."""
    # Everything that may change a base result in the last digit, so that strength 0 stays exactly 0.
    run = (plan_digest(plan), *environment(denoiser).values(), str(setting.batch.size), str(denoiser.latent_shape))
    base_key = _key(denoiser.digest(), *run)
    run_key = _key(base_key, *change_key)
    return setting.cache / f"base-{base_key}.sqlite", setting.folder / f"samples-{run_key}.sqlite"


def _key(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


def _summarise(
    plan: AuditPlan, base: BaseSide, tuned: Side, setting: Setting, device: torch.device
) -> dict[str, Measurement]:
    makers = {
        "denoiser_drift": lambda: summarise_drift(_drift_rows(plan, base, tuned)),
        "semantic": lambda: summarise_semantic(_semantic_rows(base, tuned)),
        "color": lambda: summarise_color(_color_rows(plan, base, tuned, setting, device)),
        "kid": lambda: summarise_kid(_kid_rows(plan, base, tuned, setting)),
    }
    return {name: makers[name]() for name in plan.metrics}


def _drift_rows(plan: AuditPlan, base: BaseSide, tuned: Side) -> DriftRows:
    assert base.predictions is not None and tuned.predictions is not None
    change = [squared_norms(b - a) for a, b in zip(base.predictions, tuned.predictions, strict=True)]
    again = [squared_norms(b - a) for a, b in zip(base.predictions, base.predictions_again, strict=False)]
    norm = [squared_norms(a) for a in base.predictions]
    return DriftRows(tuple(p.group for p in plan.prompts), np.stack(change), np.stack(norm), np.stack(again))


def _semantic_rows(base: BaseSide, tuned: Side) -> SemanticRows:
    assert base.labelled is not None and base.semantic is not None and tuned.semantic is not None
    labelled = base.labelled
    return SemanticRows(labelled.classes, labelled.labels, base.semantic, tuned.semantic, base.semantic_other)


def _color_rows(plan: AuditPlan, base: BaseSide, tuned: Side, setting: Setting, device: torch.device) -> ColorRows:
    shape = (len(plan.prompts), plan.images_per_prompt)
    stacks = [torch.from_numpy(images).unflatten(0, shape) for images in _images(base, tuned)]
    # One prompt at a time on the device: a thousand images of 512 px would not fit beside the model.
    colors = []
    for sides in zip(*stacks, strict=True):
        colors.append(measure_prompt(*(side.to(device) for side in sides)))
        setting.progress.advance(len(sides) * plan.images_per_prompt)
    return combine(colors, [p.text for p in plan.prompts], [p.term for p in plan.prompts])


def _kid_rows(plan: AuditPlan, base: BaseSide, tuned: Side, setting: Setting) -> KidRows:
    network = setting.features
    assert network is not None
    advance = setting.progress.advance
    features = [features_of(network, torch.from_numpy(images), advance) for images in _images(base, tuned)]
    groups = np.repeat(np.arange(len(plan.prompts)), plan.images_per_prompt)
    return KidRows(features[0], features[1], features[2], network.name, plan.seed, groups)


def _images(base: BaseSide, tuned: Side) -> list[np.ndarray]:
    """Return the images of base, tuned, and the base with other seeds."""
    assert base.images is not None and tuned.images is not None and base.images_other is not None
    return [base.images, tuned.images, base.images_other]
