"""The audit: base and tuned measured side by side, summarised, judged and recorded."""

import dataclasses
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..datasets.labelled import LabelledImages
from ..disk.store import SampleStore, measured_in
from ..errors import InvalidError
from ..metrics.evidence import Drawings, Evidence
from ..metrics.images.features import FeatureNetwork
from ..metrics.measurement import Measurement
from ..metrics.metric import Tools, chosen, needed
from ..model.batch import Batching
from ..model.denoiser import Denoiser
from ..plan.audit_plan import AuditPlan, plan_data, plan_digest
from ..progress import Progress
from ..verdict.report import BaseRecord, ImagePair, Report
from ..verdict.verdict import Policy, invalid, judge
from .adapter_record import environment, with_base
from .change import Change
from .cost import Cost, Remaining, audit_cost, remaining
from .gather import gather_base, gather_tuned
from .pairs import write_pairs
from .recorder import ModelPass

NO_KNOWLEDGE = " What was measured says how far its function moved, not what it forgot."
"""What a verdict on a base says that seems to know nothing."""


@dataclass(frozen=True)
class AuditSetting:
    """What an audit works with, besides the plan and the models."""

    folder: Path
    """Where the pictures and the resumable samples go."""
    cache: Path
    """Where base results are kept for the next LoRA."""
    policy: Policy
    """Limits of the verdict."""
    progress: Progress
    """Who is told how far it is."""
    batch: Batching
    """UNet rows at once."""
    networks: Mapping[str, FeatureNetwork]
    """Metric -> the network that it compares images with, for each of the plan's metrics that has one."""
    labelled: LabelledImages | None
    """Labelled images; None if the base is to make them."""
    other_base: str = ""
    """What speaks for another base than the one that the LoRA was trained on; see `base_in_use.difference`."""


def audit_change(denoiser: Denoiser, change: Change, plan: AuditPlan, setting: AuditSetting) -> Report:
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
        evidence, doubt = _gather(denoiser, change, plan, setting)
        measurements = _compare(denoiser, evidence, doubt, plan, setting)
        pairs = write_pairs(setting.folder, plan, evidence.get(Drawings))
        verdict = judge(measurements, setting.policy)
        if doubt:
            verdict = dataclasses.replace(verdict, reasons=(*verdict.reasons, doubt + NO_KNOWLEDGE))
    except InvalidError as error:
        verdict = invalid(str(error), *error.settings)
    finally:
        change.off()
    return Report(
        verdict=verdict,
        base=base,
        adapter=with_base(change.record(), denoiser.schedule.prediction_type, setting.other_base),
        plan=plan_data(plan),
        plan_digest=plan_digest(plan),
        measurements=measurements,
        pairs=pairs,
        environment=environment(denoiser),
        timing={"started": started, "seconds": round(time.monotonic() - clock, 2)},
        cost={"tuned_rows": cost.tuned, "base_rows": cost.base},
        status="complete" if measurements else "invalid",
    )


def to_do(
    denoiser: Denoiser, change_key: tuple[str, ...], plan: AuditPlan, setting: AuditSetting
) -> tuple[Remaining, Cost]:
    """Return the rows that `audit_change` would still compute for the change of that key, and those of all the plan."""
    files, cost = _sample_files(denoiser, change_key, plan, setting), _cost(plan, setting)
    return remaining(plan, cost, *map(measured_in, files)), cost


def _cost(plan: AuditPlan, setting: AuditSetting) -> Cost:
    labelled = len(plan.classes) * plan.per_class if setting.labelled is None else len(setting.labelled.labels)
    return audit_cost(plan, labelled)


def _require_change(change: Change) -> None:
    refusal = change.refusal()
    if refusal is not None:
        raise InvalidError(refusal)


def _gather(
    denoiser: Denoiser, change: Change, plan: AuditPlan, setting: AuditSetting
) -> tuple[Mapping[type[Evidence], Any], str]:
    """Return every kind of evidence that the metrics need, and what speaks against the base, if that does."""
    base_file, run_file = _sample_files(denoiser, change.key, plan, setting)
    with SampleStore(base_file) as base_store, SampleStore(run_file) as run_store:
        base = ModelPass(denoiser, plan, base_store, setting.batch, setting.progress)
        tuned = ModelPass(denoiser, plan, run_store, setting.batch, setting.progress)
        cost = _cost(plan, setting)
        left = remaining(plan, cost, base.before, tuned.before)
        setting.progress.total(left.base + left.tuned + cost.compared)
        rests, doubt = gather_base(needed(plan.metrics), base, plan, setting.labelled)
        change.on()
        evidence = gather_tuned(rests, tuned)
        change.off()
    return evidence, doubt


def _compare(
    denoiser: Denoiser, evidence: Mapping[type[Evidence], Any], doubt: str, plan: AuditPlan, setting: AuditSetting
) -> dict[str, Measurement]:
    """Return what the plan's metrics make of the evidence; `doubt` speaks against the base knowing anything."""
    setting.progress.stage("Comparing")
    tools = Tools(denoiser.device, setting.networks, setting.progress)
    try:
        return {m.name: m.measure(plan, tools, *(evidence[kind] for kind in m.needs)) for m in chosen(plan.metrics)}
    except InvalidError as error:  # a base at chance, most of all: then this is why
        raise InvalidError(f"{error} {doubt}".strip(), *error.settings) from error


def _sample_files(
    denoiser: Denoiser, change_key: tuple[str, ...], plan: AuditPlan, setting: AuditSetting
) -> tuple[Path, Path]:
    """Return where the samples of the base and of the tuned model are kept."""
    # Everything that may change a base result in the last digit, so that strength 0 stays exactly 0.
    run = (plan_digest(plan), *environment(denoiser).values(), str(setting.batch.size), str(denoiser.latent_shape))
    base_key = _key(denoiser.digest(), *run)
    run_key = _key(base_key, *change_key)
    return setting.cache / f"base-{base_key}.sqlite", setting.folder / f"samples-{run_key}.sqlite"


def _key(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
