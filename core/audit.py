"""The audit: base and tuned measured side by side, summarised, judged and recorded."""

import hashlib
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from .adapter import Adapter, MatchReport, Switch
from .batch import Batch
from .datasets.labelled import LabelledImages
from .denoiser import Denoiser
from .errors import InvalidError
from .features import FeatureNetwork
from .measurement import Measurement
from .metrics.color import ColorRows, combine, measure_prompt, summarise_color
from .metrics.denoiser_drift import DriftRows, squared_norms, summarise_drift
from .metrics.kid import KidRows, summarise_kid
from .metrics.semantic import SemanticRows, summarise_semantic
from .model_pass import Draws, ModelPass, audit_draws
from .pairs import write_pairs
from .plan import AuditPlan, Cost, audit_cost, needs_images, plan_data, plan_digest
from .progress import Progress
from .report import AdapterRecord, BaseRecord, ImagePair, Report
from .store import SampleStore
from .text import inert
from .verdict import Policy, Verdict, invalid, judge

OTHER_SEED = 1_000_003
"""Added to the plan's seed for the base-against-base noise floor."""

FLOOR_PROMPTS = 8
"""Prompts whose predictions are repeated one by one to see what arithmetic alone changes."""


@dataclass(frozen=True)
class Setting:
    """What an audit works with, besides the plan and the models."""

    folder: Path
    """Where the report, the pictures and the resumable samples go."""
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


@dataclass
class Side:
    """What was seen of one model. Fields stay None where the plan does not ask for them."""

    semantic: np.ndarray | None = None
    """(N, K, T) classification errors."""
    images: np.ndarray | None = None
    """(P * S, 3, H, W) generated images."""
    predictions: list[np.ndarray] | None = None
    """P arrays (T, C, h, w)."""


@dataclass
class BaseSide(Side):
    """What was seen of the base, and its noise floors."""

    labelled: LabelledImages | None = None
    """The labelled images that both models classify."""
    latents: np.ndarray | None = None
    """(P, C, h, w) clean latents of the concept-free prompts."""
    semantic_other: np.ndarray | None = None
    """Classification errors with other noise."""
    images_other: np.ndarray | None = None
    """Images of other seeds."""
    predictions_again: list[np.ndarray] = field(default_factory=list)
    """The first predictions repeated one row at a time."""


def audit(denoiser: Denoiser, adapter: Adapter, strength: float, plan: AuditPlan, setting: Setting) -> Report:
    """Return the report of the tuned model against the base; the base's weights are restored in any case.

    Interrupted at any moment, the same call continues where it stopped. A LoRA that does not apply, or numbers
    that are not finite, give a report with the verdict INVALID and no measurements.
    """
    started, clock = time.strftime("%Y-%m-%dT%H:%M:%S%z"), time.monotonic()
    base_record = BaseRecord(denoiser.name, denoiser.family, denoiser.digest())
    cost = audit_cost(plan, _labelled_count(plan, setting))
    setting.progress.total(cost.base + cost.tuned)
    setting.progress.stage("Applying the LoRA")
    switch = Switch(denoiser.components, (adapter,))
    pairs: tuple[ImagePair, ...] = ()
    measurements: dict[str, Measurement] = {}
    try:
        _require_match(switch.report, adapter)
        measurements, pairs = _measure(denoiser, adapter, switch, strength, plan, setting)
        verdict = judge(measurements, setting.policy)
    except InvalidError as error:
        verdict = invalid(str(error))
    finally:
        switch.off()
    return Report(
        verdict=verdict,
        base=base_record,
        adapter=adapter_record(adapter, switch.report, strength),
        plan=plan_data(plan),
        plan_digest=plan_digest(plan),
        measurements=measurements,
        pairs=pairs,
        environment=environment(denoiser),
        timing={"started": started, "seconds": round(time.monotonic() - clock, 2)},
        cost=_cost_record(cost, verdict),
        status="complete" if measurements else "invalid",
    )


def _require_match(match: MatchReport, adapter: Adapter) -> None:
    if match.problems:
        raise InvalidError(
            f"{inert(adapter.path.name)} did not apply to this base as a whole, so nothing was measured: "
            f"{'; '.join(match.problems)}."
        )


def _labelled_count(plan: AuditPlan, setting: Setting) -> int:
    return len(plan.classes) * plan.per_class if setting.labelled is None else len(setting.labelled.labels)


def _cost_record(cost: Cost, verdict: Verdict) -> dict[str, int]:
    return {"tuned_rows": cost.tuned, "base_rows": cost.base}


def _measure(
    denoiser: Denoiser, adapter: Adapter, switch: Switch, strength: float, plan: AuditPlan, setting: Setting
) -> tuple[dict[str, Measurement], tuple[ImagePair, ...]]:
    place = f"{denoiser.device.type}|{denoiser.dtype}"
    base_key = _key(denoiser.digest(), plan_digest(plan), place)
    run_key = _key(base_key, adapter.hashes.sha256, repr(float(strength)))
    with (
        SampleStore(setting.cache / f"base-{base_key}.sqlite") as base_store,
        SampleStore(setting.folder / f"samples-{run_key}.sqlite") as run_store,
    ):
        base = _base_side(ModelPass(denoiser, plan, base_store, setting.batch, setting.progress), plan, setting)
        switch.on(strength)
        tuned = _tuned_side(ModelPass(denoiser, plan, run_store, setting.batch, setting.progress), plan, base)
        switch.off()
    setting.progress.stage("Comparing")
    return _summarise(plan, base, tuned, setting, denoiser.device), write_pairs(setting.folder, plan, base.images, tuned.images)


def _key(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


def _base_side(model: ModelPass, plan: AuditPlan, setting: Setting) -> BaseSide:
    side, draws = BaseSide(labelled=setting.labelled), audit_draws(plan, plan.seed)
    if needs_images(plan):
        side.images = model.draw("Base: drawing", "draw", draws)
        side.images_other = model.draw(
            "Base: noise floor of images", "draw-other", audit_draws(plan, plan.seed + OTHER_SEED)
        )
    if "denoiser_drift" in plan.metrics:
        first = draws[:: plan.images_per_prompt]
        if not needs_images(plan):
            model.draw("Base: drawing latents", "draw", first)
        side.latents = model.latents("draw", first)
        side.predictions = model.predict("Base: predicting", "predict", side.latents)
        side.predictions_again = model.predict(
            "Base: noise floor of predictions", "predict-again", side.latents[:FLOOR_PROMPTS], Batch(1)
        )
    if "semantic" in plan.metrics:
        if side.labelled is None:
            side.labelled = _make_labelled(model, plan)
        side.semantic = model.classify("Base: classifying", "classify", side.labelled, plan.seed)
        side.semantic_other = model.classify(
            "Base: noise floor of classifying", "classify-other", side.labelled, plan.seed + OTHER_SEED
        )
    return side


def _make_labelled(model: ModelPass, plan: AuditPlan) -> LabelledImages:
    """Return labelled images that the base makes of its own idea of each class."""
    draws: Draws = tuple((prompt, plan.seed + i) for prompt in plan.class_prompts for i in range(plan.per_class))
    images = model.draw("Base: making labelled images", "probe", draws)
    return LabelledImages(images, np.repeat(np.arange(len(plan.classes)), plan.per_class), plan.classes)


def _tuned_side(model: ModelPass, plan: AuditPlan, base: BaseSide) -> Side:
    side = Side()
    if base.latents is not None:
        side.predictions = model.predict("LoRA: predicting", "predict", base.latents)
    if base.labelled is not None and base.semantic is not None:
        side.semantic = model.classify("LoRA: classifying", "classify", base.labelled, plan.seed)
    if base.images is not None:
        side.images = model.draw("LoRA: drawing", "draw", audit_draws(plan, plan.seed))
    return side


def _summarise(
    plan: AuditPlan, base: BaseSide, tuned: Side, setting: Setting, device: torch.device
) -> dict[str, Measurement]:
    makers = {
        "denoiser_drift": lambda: summarise_drift(_drift_rows(plan, base, tuned)),
        "semantic": lambda: summarise_semantic(_semantic_rows(base, tuned)),
        "color": lambda: summarise_color(_color_rows(plan, base, tuned, device)),
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


def _color_rows(plan: AuditPlan, base: BaseSide, tuned: Side, device: torch.device) -> ColorRows:
    stacks = [by_prompt(plan, images) for images in _present(base.images, tuned.images, base.images_other)]
    # One prompt at a time on the device: a thousand images of 512 px would not fit beside the model.
    colors = [measure_prompt(a.to(device), b.to(device), c.to(device)) for a, b, c in zip(*stacks, strict=True)]
    return combine(colors, [p.text for p in plan.prompts], [p.term for p in plan.prompts])


def _kid_rows(plan: AuditPlan, base: BaseSide, tuned: Side, setting: Setting) -> KidRows:
    assert setting.features is not None
    network = setting.features
    sides = [network(torch.from_numpy(images)) for images in _present(base.images, tuned.images, base.images_other)]
    groups = np.repeat(np.arange(len(plan.prompts)), plan.images_per_prompt)
    return KidRows(sides[0], sides[1], sides[2], network.name, plan.seed, groups)


def by_prompt(plan: AuditPlan, images: np.ndarray) -> torch.Tensor:
    """Return images (P * S, 3, H, W) as (P, S, 3, H, W)."""
    return torch.from_numpy(images).unflatten(0, (len(plan.prompts), plan.images_per_prompt))


def _present(*arrays: np.ndarray | None) -> list[np.ndarray]:
    assert all(a is not None for a in arrays)
    return [a for a in arrays if a is not None]


def adapter_record(adapter: Adapter, match: MatchReport, strength: float) -> AdapterRecord:
    """Return what the report says about the LoRA, every text of strangers made inert."""
    details = {
        "rank": ", ".join(map(str, adapter.ranks)),
        "alpha": ", ".join(f"{a:g}" for a in adapter.alphas),
        "trigger words": ", ".join(adapter.trigger_words),
        "AutoV2": adapter.hashes.autov2,
        "AutoV3": adapter.hashes.autov3 or "",
        "coverage": match.coverage,
    }
    unmatched = tuple(f"{u.name}: {u.reason}" for u in match.unmatched[:10])
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
        details={name: inert(value) for name, value in details.items() if value},
        warnings=(*map(inert, adapter.warnings), *unmatched),
    )


def environment(denoiser: Denoiser) -> dict[str, str]:
    """Return versions and place of the computation."""
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "not installed"

    libraries = {name: installed(name) for name in ("owf", "torch", "diffusers", "transformers", "numpy")}
    place = {"device": denoiser.device.type, "dtype": str(denoiser.dtype).removeprefix("torch.")}
    if denoiser.device.type == "cuda":
        place["gpu"] = torch.cuda.get_device_name(denoiser.device)
    return {**libraries, **place, "python": platform.python_version()}
