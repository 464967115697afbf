"""Where the jobs of an experiment are done: LoRAs are trained, each once, and audited with all that belongs to it."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from ...adapter import Adapter, read_adapter
from ...audit.change import BESIDE, AdapterChange, Change
from ...audit.learned.networks import load_networks
from ...disk.files import write_text
from ...errors import AdapterError
from ...metrics.images.features import FeatureNetwork
from ...metrics.measurement import Estimate
from ...model.diffusion.drawings import SAMPLING, sampling_of
from ...plan.concept import Concept
from ...train.records import TrainSetting
from ...train.session import Training, TrainRequest, TrainSession
from ...train.train import train
from ...verdict.learning import Learning
from ..jobs.job import CONTINUED, INVERSION, REFERENCE, Job, Learned, Lesson, Result, read_learned
from ..jobs.study import Study
from .bench import Bench, short_hash
from .examiner import Examiner, changes_by_kind
from .inversion import EmbeddingChange, invert
from .reference import ReferenceChange, look_up
from .stack import StackChange

VERSION = 1
"""Part of every name: another one makes everything anew."""
LORAS = "loras"
"""Folder of what is trained."""


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
        self._examiner = Examiner(bench, study)
        self._trainings: dict[Lesson, Training] = {}

    def key(self, job: Job) -> str:
        """Return the hash of all that a job's result depends on: what is trained, on what, and what is asked."""
        told = [job.row, job.seed, job.way, job.at, job.metrics, job.probes, job.draws, *self._keys(job), *self._beside]
        asked = self._examiner.question(job.metrics)
        return short_hash(f"{json.dumps(told)}|{asked}|{self._bench.denoiser.digest()}")

    def run(self, job: Job) -> Result:
        """Return what comes of a job; a LoRA that was trained for another one is taken."""
        taught: list[_Taught] = []
        for lesson in job.lessons:
            taught.append(self._teach(lesson, taught if job.way == CONTINUED else ()))
        last = taught[-1]
        change = self._change(job, [one.path for one in taught])
        published = self._examiner.audit(change, job.metrics, last.key[:12])
        report = published.report
        numbers = {name: e for m in report.measurements.values() for name, e in m.estimates.items()}
        return Result(
            row=job.row,
            concept=job.concept,
            seed=job.seed,
            at=dict(job.at),
            numbers=numbers | last.learned.numbers | self._besides(job, change, last),
            decision=last.learned.decision,
            report=str(published.folder.relative_to(self._study.folder)),
            facts={"delta_norm": report.adapter.delta_norm, **changes_by_kind(report)},
        )

    def _besides(self, job: Job, change: Change, last: _Taught) -> dict[str, Estimate]:
        """Return what a job asks besides its audit."""
        found: dict[str, Estimate] = {}
        if job.probes:
            found["probe_drift"] = self._examiner.probe(change, job.probes, short_hash("|".join(self._keys(job))))
        if job.draws:
            found |= self._examiner.likeness(change, job.draws, self._training(job.lessons[-1]), last.path)
        return found

    def _change(self, job: Job, paths: Sequence[Path]) -> Change:
        """Return everything that was taught as one change of the base."""
        denoiser, last = self._bench.denoiser, job.lessons[-1]
        concept = Concept(last.plan.trigger, last.plan.class_word)
        if last.how == REFERENCE:
            return ReferenceChange(denoiser, self._training(last).pictures[0].pixels, (concept.phrase,))
        if last.how == INVERSION:
            return EmbeddingChange(denoiser, paths[-1], concept.pure_trigger, (concept.phrase,))
        adapters = [read_adapter(path) for path in paths]
        if len(adapters) == 1:
            return AdapterChange(denoiser.components, adapters[0], 1.0, self._bench.keeping)
        return StackChange(denoiser.components, adapters, self._bench.keeping)

    @property
    def _beside(self) -> tuple[str, ...]:
        """Return what tells results of LoRAs beside the weights from those of merged ones: they differ by rounding."""
        return () if self._bench.keeping.is_plain else (BESIDE,)

    def _keys(self, job: Job) -> list[str]:
        keys: list[str] = []
        for lesson in job.lessons:
            keys.append(self._key(lesson, keys if job.way == CONTINUED else ()))
        return keys

    def _key(self, lesson: Lesson, before: Sequence[str]) -> str:
        training = self._training(lesson)
        told = [str(VERSION), lesson.how, training.fingerprint(), *before, *(self._beside if before else ())]
        sampling = sampling_of(training.usual)
        if sampling != SAMPLING:  # else names are those from before bases drew in ways of their own
            told.append(repr(sampling))
        told += [hashlib.sha256(picture.pixels.numpy().tobytes()).hexdigest() for picture in training.held_out]
        return short_hash("|".join(told))

    def _training(self, lesson: Lesson) -> Training:
        if lesson not in self._trainings:
            concept = self._study.concept(lesson.concept)
            session = TrainSession(TrainRequest(lesson.plan, concept.pictures, concept.held_out))
            training = session.on(self._bench.denoiser, self._bench.names)
            count = lesson.pictures or len(training.pictures)
            cut = replace(training, pictures=training.pictures[:count], images=training.images[:count])
            self._trainings[lesson] = cut
        return self._trainings[lesson]

    def _teach(self, lesson: Lesson, before: Sequence[_Taught]) -> _Taught:
        """Return a lesson's LoRA, trained with the earlier ones in the base where it is not there yet."""
        key, folder = self._key(lesson, [one.key for one in before]), self._study.folder / LORAS
        path, notes = folder / f"{key}.safetensors", folder / f"{key}.json"
        if not notes.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                if before:
                    stack.enter_context(self._with([read_adapter(one.path) for one in before]))
                learning = self._train(lesson, key, before)
            write_text(notes, json.dumps(asdict(Learned(learning.decision, learning.estimates)), indent=1) + "\n")
            (folder / f"{key}.checkpoint").unlink(missing_ok=True)
        return _Taught(key, path, read_learned(notes))

    @contextmanager
    def _with(self, adapters: Sequence[Adapter]) -> Iterator[None]:
        """Return a context with LoRAs in the base; raise AdapterError where one does not apply as a whole."""
        change = StackChange(self._bench.denoiser.components, adapters, self._bench.keeping)
        refusal = change.refusal()
        if refusal is not None:
            raise AdapterError(refusal)
        try:
            change.on()
            yield
        finally:
            change.off()

    def _train(self, lesson: Lesson, key: str, before: Sequence[_Taught]) -> Learning:
        bench, training = self._bench, self._training(lesson)
        # What a base with LoRAs in it draws is not the base's, though its digest is: it gets a cache of its own.
        cache, told = bench.cache, "|".join((*(one.key for one in before), *self._beside))
        if before:
            cache /= f"after-{short_hash(told)}"
        cache.mkdir(parents=True, exist_ok=True)
        with bench.watching() as progress:
            setting = TrainSetting(
                key,
                self._study.folder / LORAS,
                cache,
                progress,
                bench.batch,
                resume=True,
                keeping=bench.keeping,
                usual=training.usual,
                networks=lambda: self._networks,
            )
            if lesson.how == REFERENCE:
                return look_up(training, setting)
            if lesson.how == INVERSION:
                return invert(training, setting.folder / f"{key}.safetensors", setting)
            trained = train(bench.denoiser, training.pictures, training.bank, training.plan, setting, training.held_out)
        assert trained.learning is not None, "networks were named, and nothing asked it to stop"
        return trained.learning

    @cached_property
    def _networks(self) -> tuple[FeatureNetwork, ...]:
        return load_networks(self._bench.denoiser.family, self._bench.fetching)
