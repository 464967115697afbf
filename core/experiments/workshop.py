"""Where the jobs of an experiment are done: LoRAs are trained, each once, and audited with all that belongs to it."""

import hashlib
import json
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from ..adapter import Adapter, read_adapter, stacked
from ..audit.audit import AuditSetting, audit_change
from ..audit.change import AdapterChange, Change
from ..audit.session import AuditRequest, AuditSession, Places, plan_for
from ..disk.files import write_text
from ..metrics.images.features import FeatureNetwork, Fetching
from ..metrics.measurement import Estimate
from ..model.batch import Batching
from ..model.denoiser import TrainableDenoiser
from ..plan.audit_plan import plan_digest
from ..progress import Progress
from ..train.learned.networks import load_networks
from ..train.records import TrainSetting
from ..train.session import Training, TrainRequest, TrainSession
from ..train.train import train
from ..verdict.learning import Learning
from ..verdict.report import Report
from ..verdict.verdict import default_policy
from .job import CONTINUED, Job, Learned, Lesson, Result, read_learned
from .stack import StackChange
from .study import Study

VERSION = 1
"""Part of every name: another one makes everything anew."""
LORAS, REPORTS, PROBED = "loras", "reports", "probes"
"""Folders of what is trained, of the audits, and of measurements by few rows."""


@dataclass(frozen=True)
class Bench:
    """What everything is done with."""

    denoiser: TrainableDenoiser
    """The base."""
    names: tuple[str, ...]
    """Further names of the base, by which the language of prompts is told."""
    batch: Batching
    """UNet rows at once."""
    cache: Path
    """What the base draws and answers, kept for the next LoRA."""
    fetching: Fetching
    """Where networks come from and run."""
    progress: Progress
    """Who is told how far each training and audit is."""


@dataclass(frozen=True)
class _Taught:
    """One finished lesson."""

    key: str
    path: Path
    learned: Learned


class Workshop:
    """Trains and audits on one base; the `Worker` of the runner."""

    def __init__(self, bench: Bench, study: Study) -> None:
        self._bench, self._study = bench, study
        self._trainings: dict[Lesson, Training] = {}
        self._audits: dict[tuple[str, ...], AuditSession] = {}
        self._asked: dict[tuple[str, ...], str] = {}

    def key(self, job: Job) -> str:
        """Return the hash of all that a job's result depends on: what is trained, on what, and what is asked."""
        told = json.dumps([job.row, job.seed, job.way, job.at, job.metrics, job.probes, *self._keys(job)])
        return _hash(f"{told}|{self._question(job.metrics)}|{self._bench.denoiser.digest()}")

    def run(self, job: Job) -> Result:
        """Return what comes of a job; a LoRA that was trained for another one is taken."""
        taught: list[_Taught] = []
        for lesson in job.lessons:
            taught.append(self._teach(lesson, taught if job.way == CONTINUED else ()))
        adapters = [read_adapter(one.path) for one in taught]
        learned = taught[-1].learned
        change = self._change(adapters)
        report, folder = self._audit(job, change)
        estimates = [pair for m in report.measurements.values() for pair in m.estimates.items()]
        estimates += [("probe_drift", self._probe(job, change))] if job.probes else []
        return Result(
            row=job.row,
            concept=job.concept,
            seed=job.seed,
            at=dict(job.at),
            numbers={**dict(estimates), **learned.numbers},
            decision=learned.decision,
            report=str(folder.relative_to(self._study.folder)),
            facts={"delta_norm": report.adapter.delta_norm, **changes_by_kind(report)},
        )

    def _keys(self, job: Job) -> list[str]:
        keys: list[str] = []
        for lesson in job.lessons:
            keys.append(self._key(lesson, keys if job.way == CONTINUED else ()))
        return keys

    def _key(self, lesson: Lesson, before: Sequence[str]) -> str:
        training = self._training(lesson)
        told = [str(VERSION), training.fingerprint(), *before]
        told += [hashlib.sha256(picture.pixels.numpy().tobytes()).hexdigest() for picture in training.held_out]
        return _hash("|".join(told))

    def _question(self, metrics: tuple[str, ...]) -> str:
        """Return the hash of the plan that audits follow; it covers the labelled images."""
        if metrics not in self._asked:
            denoiser = self._bench.denoiser
            names = (denoiser.name, *self._bench.names)
            plan, _ = plan_for(self._request(metrics), denoiser.family, denoiser.resolution, names=names)
            self._asked[metrics] = plan_digest(plan)
        return self._asked[metrics]

    def _request(self, metrics: tuple[str, ...]) -> AuditRequest:
        return audit_request(self._study, metrics)

    def _training(self, lesson: Lesson) -> Training:
        if lesson not in self._trainings:
            concept = self._study.concept(lesson.concept)
            session = TrainSession(TrainRequest(lesson.plan, concept.pictures, concept.held_out))
            training = session.on(self._bench.denoiser, self._bench.names)
            count = lesson.pictures or len(training.pictures)
            self._trainings[lesson] = replace(
                training, pictures=training.pictures[:count], images=training.images[:count]
            )
        return self._trainings[lesson]

    def _teach(self, lesson: Lesson, before: Sequence[_Taught]) -> _Taught:
        """Return a lesson's LoRA, trained with the earlier ones in the base where it is not there yet."""
        key, folder = self._key(lesson, [one.key for one in before]), self._study.folder / LORAS
        path, notes = folder / f"{key}.safetensors", folder / f"{key}.json"
        if not notes.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                if before:
                    adapters = [read_adapter(one.path) for one in before]
                    stack.enter_context(stacked(self._bench.denoiser.components, adapters, [1.0] * len(adapters)))
                learning = self._train(lesson, key, before)
            write_text(notes, json.dumps(asdict(Learned(learning.decision, learning.estimates)), indent=1) + "\n")
            (folder / f"{key}.checkpoint").unlink(missing_ok=True)
        return _Taught(key, path, read_learned(notes))

    def _train(self, lesson: Lesson, key: str, before: Sequence[_Taught]) -> Learning:
        bench, training = self._bench, self._training(lesson)
        # What a base with LoRAs in it draws is not the base's, though its digest is: it gets a cache of its own.
        cache = bench.cache / f"after-{_hash('|'.join(one.key for one in before))}" if before else bench.cache
        cache.mkdir(parents=True, exist_ok=True)
        setting = TrainSetting(
            key,
            self._study.folder / LORAS,
            cache,
            bench.progress,
            bench.batch,
            resume=True,
            networks=lambda: self._networks,
        )
        trained = train(bench.denoiser, training.pictures, training.bank, training.plan, setting, training.held_out)
        assert trained.learning is not None, "networks were named, and nothing asked it to stop"
        return trained.learning

    @cached_property
    def _networks(self) -> tuple[FeatureNetwork, ...]:
        return load_networks(self._bench.denoiser.family, self._bench.fetching)

    def _change(self, adapters: Sequence[Adapter]) -> Change:
        components = self._bench.denoiser.components
        return AdapterChange(components, adapters[0], 1.0) if len(adapters) == 1 else StackChange(components, adapters)

    def _audit(self, job: Job, change: Change) -> tuple[Report, Path]:
        bench, folder = self._bench, self._study.folder / REPORTS
        if job.metrics not in self._audits:
            folder.mkdir(parents=True, exist_ok=True)
            places = Places(folder, bench.cache, reuse=True)
            self._audits[job.metrics] = AuditSession(
                self._request(job.metrics), default_policy(), places, bench.fetching
            )
        stem = self._keys(job)[-1][:12]
        published = self._audits[job.metrics].audit(
            bench.denoiser, change, stem, bench.batch, bench.progress, names=bench.names
        )
        return published.report, published.folder

    def _probe(self, job: Job, change: Change) -> Estimate:
        """Return the drift over a few prompts, spread over all that audits ask."""
        bench = self._bench
        denoiser, metrics = bench.denoiser, ("denoiser_drift",)
        plan, _ = plan_for(
            self._request(metrics), denoiser.family, denoiser.resolution, names=(denoiser.name, *bench.names)
        )
        plan = replace(plan, prompts=plan.prompts[:: max(1, len(plan.prompts) // job.probes)][: job.probes])
        folder = self._study.folder / PROBED / _hash("|".join(self._keys(job)))
        folder.mkdir(parents=True, exist_ok=True)
        setting = AuditSetting(folder, bench.cache, default_policy(), bench.progress, bench.batch, {}, None)
        return audit_change(denoiser, change, plan, setting).measurements["denoiser_drift"].estimates["drift"]


def changes_by_kind(report: Report) -> dict[str, float]:
    """Return how much each kind of layer changed, relative to its weights: the root mean square over its modules."""
    squares: dict[str, list[float]] = {}
    for block in report.adapter.blocks:
        if block.relative is not None:
            squares.setdefault(block.kind, []).extend([block.relative**2] * block.modules)
    return {f"change of {kind}": math.sqrt(sum(found) / len(found)) for kind, found in squares.items() if found}


def audit_request(study: Study, metrics: tuple[str, ...]) -> AuditRequest:
    """Return what every LoRA of a study is asked."""
    asked = study.asked
    return AuditRequest(
        preset=asked.preset, metrics=metrics, per_class=asked.per_class, images=asked.images, dataset=asked.dataset
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
