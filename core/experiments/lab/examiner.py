"""What is asked of every change: the audit, drift by a few rows, and likeness to its concept."""

import math
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ...audit.audit import AuditSetting, audit_change
from ...audit.change import Change
from ...audit.request import AuditRequest, plan_for
from ...audit.session import AuditSession, Places, Published
from ...metrics.measurement import Estimate
from ...plan.audit_plan import AuditPlan, plan_digest
from ...plan.concept import Concept
from ...train.session import Training
from ...verdict.policy import default_policy
from ...verdict.report import Report
from ..jobs.study import Study
from .bench import Bench
from .likeness import Seers, concept_likeness, load_seers, word_in_place

REPORTS, PROBES = "reports", "probes"
"""Folders of the audits, and of measurements by few rows."""


def audit_request(study: Study, metrics: tuple[str, ...], own: int) -> AuditRequest:
    """Return what every LoRA of a study is asked, about pictures of the side `own` that the base was made for."""
    asked = study.asked
    return AuditRequest(
        preset=asked.preset,
        metrics=metrics,
        per_class=asked.per_class,
        images=asked.images,
        dataset=asked.dataset,
        resolution=own,
    )


class Examiner:
    """Asks changes of one base what a study asks; what they share is loaded once."""

    def __init__(self, bench: Bench, study: Study) -> None:
        self._bench, self._study = bench, study
        self._plans: dict[tuple[str, ...], AuditPlan] = {}
        self._sessions: dict[tuple[str, ...], AuditSession] = {}

    def question(self, metrics: tuple[str, ...]) -> str:
        """Return the hash of the plan that audits follow; it covers the labelled images."""
        return plan_digest(self._plan(metrics))

    def audit(self, change: Change, metrics: tuple[str, ...], stem: str) -> Published:
        """Return the report of a change; one that an earlier run finished is taken."""
        bench = self._bench
        with bench.watching() as progress:
            return self._session(metrics).audit(bench.denoiser, change, stem, bench.batch, progress, names=bench.names)

    def probe(self, change: Change, prompts: int, name: str) -> Estimate:
        """Return the drift over a few of the prompts that audits ask, spread over all of them."""
        bench, plan = self._bench, self._plan(("denoiser_drift",))
        plan = replace(plan, prompts=plan.prompts[:: max(1, len(plan.prompts) // prompts)][:prompts])
        folder = self._study.folder / PROBES / name
        folder.mkdir(parents=True, exist_ok=True)
        with bench.watching() as progress:
            setting = AuditSetting(folder, bench.cache, default_policy(), progress, bench.batch, {}, None)
            report = audit_change(bench.denoiser, change, plan, setting)
        return report.measurements["denoiser_drift"].estimates["drift"]

    def likeness(self, change: Change, count: int, training: Training, lora: Path) -> dict[str, Estimate]:
        """Return how like its concept are pictures that the tuned model draws of it."""
        bench, concept = self._bench, Concept(training.plan.trigger, training.plan.class_word)
        seers = self._seers
        change.on()
        try:
            with word_in_place(bench.denoiser, lora, concept), bench.watching() as progress:
                return concept_likeness(bench.denoiser, training, seers, count, bench.batch, progress)
        finally:
            change.off()

    @cached_property
    def _seers(self) -> Seers:
        return load_seers(self._bench.denoiser.family, self._bench.fetching)

    def _plan(self, metrics: tuple[str, ...]) -> AuditPlan:
        if metrics not in self._plans:
            denoiser, names = self._bench.denoiser, (self._bench.denoiser.name, *self._bench.names)
            request = audit_request(self._study, metrics, denoiser.made_for)
            self._plans[metrics], _ = plan_for(request, denoiser.family, denoiser.made_for, names=names)
        return self._plans[metrics]

    def _session(self, metrics: tuple[str, ...]) -> AuditSession:
        if metrics not in self._sessions:
            folder = self._study.folder / REPORTS
            folder.mkdir(parents=True, exist_ok=True)
            places = Places(folder, self._bench.cache, reuse=True)
            request = audit_request(self._study, metrics, self._bench.denoiser.made_for)
            self._sessions[metrics] = AuditSession(request, default_policy(), places, self._bench.fetching)
        return self._sessions[metrics]


def changes_by_kind(report: Report) -> dict[str, float]:
    """Return how much each kind of layer changed, relative to its weights: the root mean square over its modules."""
    squares: dict[str, list[float]] = {}
    for block in report.adapter.blocks:
        if block.relative is not None:
            squares.setdefault(block.kind, []).extend([block.relative**2] * block.modules)
    return {f"change of {kind}": math.sqrt(sum(found) / len(found)) for kind, found in squares.items() if found}
