"""The audit: base and tuned measured side by side, summarised, judged and recorded."""

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import families
from ..datasets.images.labelled import LabelledImages
from ..disk.store import measured_in, whole_store
from ..errors import InvalidError
from ..metrics.evidence import Confirmed, Drawings, Evidence, Screened
from ..metrics.images.features import FeatureNetwork
from ..metrics.measurement import Measurement, require_numbers
from ..metrics.metric import Tools, chosen, needed
from ..metrics.screening.suspects import suspects
from ..model.diffusion.batch import Batching
from ..model.diffusion.denoiser import Denoiser
from ..model.diffusion.encodings import Encodings
from ..model.diffusion.read_ahead import kept_readings
from ..plan.audit_plan import AuditPlan, plan_data, plan_digest, questions
from ..plan.concept import Concept
from ..plan.screening.screening import asked_instead
from ..progress import BASE, LORA, Progress
from ..verdict.judge import judge
from ..verdict.learning import Learning
from ..verdict.policy import Policy
from ..verdict.report import BaseRecord, ImagePair, Report
from ..verdict.verdict import DRIFT, invalid
from .adapter_record import environment, with_base
from .base.base_in_use import other_family
from .base.base_results import About, joined_digest, open_results
from .change import Change
from .evidence.confirm import confirm
from .evidence.cost import Cost, Remaining, audit_cost, remaining
from .evidence.gather import check_base, gather_base, gather_tuned, in_turns
from .evidence.pairs import write_pairs
from .evidence.recorder import ModelPass
from .learned.evidence import Drawing
from .references import References, concept_of, likeness_rows, measure_references, without

_EARLY = "It was decided before that, as was asked for: what is left could only break further limits."
"""Reason beside those of a verdict that not everything was measured for."""


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
    told: tuple[str, ...] = ()
    """Words for what the LoRA was trained to change, by the user."""
    claimed: tuple[str, ...] = ()
    """The same by the LoRA's file."""
    references: References | None = None
    """Pictures of the concept that what the LoRA draws is compared with; None where that is not asked."""
    decide_early: bool = False
    """Whether what is left is not measured once the verdict is DRIFT."""
    not_asked: str = ""
    """What was asked for and has no meaning on the base, as a sentence; see `request.not_asked`."""
    usual: families.Drawing = families.USUAL
    """How people draw with the base, as what the LoRA is asked for beside the references is drawn."""

    @property
    def concept(self) -> Concept | None:
        """What the LoRA is asked for, to be compared with the references."""
        return concept_of(self.told, self.claimed)


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
    learning: Learning | None = None
    try:
        _require_change(change, denoiser.family)
        comparing = _Comparing(denoiser, plan, setting)
        evidence, doubt = _gather(denoiser, change, plan, setting, comparing)
        setting.progress.stage("Comparing")
        measurements = comparing.measure(evidence, doubt)
        pairs = write_pairs(setting.folder, plan, evidence.get(Drawings), evidence.get(Confirmed))
        verdict = judge(measurements, setting.policy, doubt)
        if len(measurements) < len(plan.metrics):
            verdict = dataclasses.replace(verdict, reasons=(*verdict.reasons, _EARLY))
        if setting.not_asked:
            verdict = dataclasses.replace(verdict, reasons=(*verdict.reasons, setting.not_asked))
        learning = _learned(denoiser, change, plan, setting)
    except InvalidError as error:
        verdict = invalid(str(error), *error.settings)
    finally:
        change.off()
    return Report(
        verdict=verdict,
        base=base,
        adapter=with_base(change.record(), denoiser, setting.other_base),
        plan=plan_data(plan),
        plan_digest=plan_digest(plan),
        measurements=measurements,
        pairs=pairs,
        environment=environment(denoiser),
        timing={"started": started, "seconds": round(time.monotonic() - clock, 2)},
        cost={"tuned_rows": cost.tuned, "base_rows": cost.base},
        status="complete" if measurements else "invalid",
        learning=learning,
    )


def to_do(
    denoiser: Denoiser, change_key: tuple[str, ...], plan: AuditPlan, setting: AuditSetting
) -> tuple[Remaining, Cost]:
    """Return the rows that `audit_change` would still compute for the change of that key, and those of all the plan."""
    about, cost = _about(denoiser, plan, setting), _cost(plan, setting)
    files = about.path(setting.cache), _run_file(about, change_key, plan, setting)
    return remaining(plan, cost, *map(measured_in, files)), cost


def _cost(plan: AuditPlan, setting: AuditSetting) -> Cost:
    labelled = len(plan.classes) * plan.per_class if setting.labelled is None else len(setting.labelled.labels)
    return audit_cost(plan, labelled)


def _require_change(change: Change, family: str) -> None:
    refusal = change.refusal()
    if refusal is not None:
        raise InvalidError(f"{refusal} {other_family(change.record().family, family)}".strip())


def _gather(
    denoiser: Denoiser, change: Change, plan: AuditPlan, setting: AuditSetting, comparing: "_Comparing"
) -> tuple[Mapping[type[Evidence], Any], str]:
    """Return every kind of evidence that the metrics need, and what speaks against the base, if that does."""
    about = _about(denoiser, plan, setting)
    run_file = _run_file(about, change.key, plan, setting)
    with (
        open_results(about, setting.cache) as base_store,
        whole_store(run_file) as run_store,
        kept_readings(denoiser, setting.cache) as of_base,
    ):
        of_tuned = of_base if change.reads_as_base else Encodings(denoiser)
        base = ModelPass(of_base, plan, base_store, setting.batch, setting.progress)
        tuned = ModelPass(of_tuned, plan, run_store, setting.batch, setting.progress)
        cost = _cost(plan, setting)
        left = remaining(plan, cost, base.before, tuned.before)
        likeness = (
            0
            if setting.references is None
            else likeness_rows(setting.concept, denoiser.family, plan.form, setting.usual)
        )
        setting.progress.total(left.base + left.tuned + cost.compared + likeness)
        kinds, evidence = needed(plan.metrics), {}
        setting.progress.subject(BASE)
        doubt = check_base(kinds, base, plan)
        for some in in_turns(kinds, setting.decide_early):
            setting.progress.subject(BASE)
            rests = gather_base(some, base, plan, setting.labelled)
            setting.progress.subject(LORA)
            change.on()
            evidence.update(gather_tuned(rests, tuned))
            change.off()
            if setting.decide_early and comparing.is_drift(evidence, doubt):
                return evidence, doubt
        if Confirmed in kinds:
            evidence[Confirmed] = _confirmed(tuned, change, evidence[Screened], setting)
    return evidence, doubt


class _Comparing:
    """What the plan's metrics make of the evidence, each once it has all that it needs."""

    def __init__(self, denoiser: Denoiser, plan: AuditPlan, setting: AuditSetting) -> None:
        self._plan, self._policy = plan, setting.policy
        self._tools = Tools(denoiser.device, setting.networks, setting.progress, setting.told, setting.claimed)
        self._found: dict[str, Measurement] = {}

    def is_drift(self, evidence: Mapping[type[Evidence], Any], doubt: str) -> bool:
        """Return whether a limit is broken by what there is so far: nothing that follows could mend it."""
        found = self.measure(evidence, doubt)
        return bool(found) and judge(found, self._policy).decision == DRIFT

    def measure(self, evidence: Mapping[type[Evidence], Any], doubt: str) -> dict[str, Measurement]:
        """Return what the evidence says, in the order of the plan; `doubt` speaks against the base knowing anything."""
        metrics = [m for m in chosen(self._plan.metrics) if all(kind in evidence for kind in m.needs)]
        try:
            for m in metrics:
                if m.name not in self._found:
                    found = m.measure(self._plan, self._tools, *(evidence[kind] for kind in m.needs))
                    self._found[m.name] = require_numbers(found)
        except InvalidError as error:  # a base at chance, most of all: then this is why
            raise InvalidError(f"{error} {doubt}".strip(), *error.settings) from error
        return {m.name: self._found[m.name] for m in metrics}


def _confirmed(tuned: ModelPass, change: Change, seen: Screened, setting: AuditSetting) -> Confirmed:
    """Return what a screening's suspects come to; it switches the change itself, which is off before and after."""
    plan = tuned.plan
    further = asked_instead(plan) if plan.words else ()
    groups = suspects(seen, further, setting.told, setting.claimed, plan.seed)
    return confirm(tuned, groups, change.on, change.off)


def _learned(denoiser: Denoiser, change: Change, plan: AuditPlan, setting: AuditSetting) -> Learning | None:
    """Return how far what the LoRA draws is like the references; None where there are none."""
    if setting.references is None:
        return None
    drawing = Drawing(
        denoiser,
        lambda: without(change, setting.progress),
        setting.cache,
        setting.batch,
        setting.progress,
        setting.usual,
    )
    return measure_references(setting.references, setting.concept, drawing, plan.form)


def _about(denoiser: Denoiser, plan: AuditPlan, setting: AuditSetting) -> About:
    """Return everything that may change a base result in the last digit, so that strength 0 stays exactly 0."""
    return About(
        base=denoiser.name,
        family=denoiser.family,
        preset=plan.preset,
        digest=denoiser.digest(),
        questions=questions(plan),
        environment=environment(denoiser),
        batch=setting.batch.size,
        latent_shape=str(denoiser.latent_shape),
    )


def _run_file(about: About, change_key: tuple[str, ...], plan: AuditPlan, setting: AuditSetting) -> Path:
    """Return where the samples of the tuned model are kept, which are those of one plan."""
    return setting.folder / f"samples-{joined_digest(about.key, plan_digest(plan), *change_key)}.sqlite"
