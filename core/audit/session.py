"""One audit, whichever host asks for it: from what is asked to the report in its folder."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import families
from ..datasets.dataset import GENERAL, find_dataset
from ..datasets.labelled import LabelledImages
from ..datasets.shipped import read_shipped
from ..disk.files import remove_unfinished
from ..disk.lock import only_one
from ..disk.places import CACHE_LIMIT
from ..disk.stores import give_up
from ..disk.writable import require_writable
from ..errors import Setting, UsageError, with_words
from ..families.prompt_form import AUTO
from ..metrics.evidence import Screened
from ..metrics.images.features import FeatureNetwork, Fetching
from ..metrics.metric import all_metrics, chosen, needed
from ..model.batch import Batching
from ..model.denoiser import Denoiser
from ..plan.audit_plan import AuditPlan, Stage, plan_digest
from ..plan.presets import METRICS, in_form, in_order, preset_plan
from ..plan.screening import with_vocabulary
from ..progress import BASE, LORA, Progress
from ..render.formats.format import default_formats, publish
from ..verdict.learning import Learning
from ..verdict.rejudge import rejudged
from ..verdict.report import Report
from ..verdict.verdict import OF_UNJUDGED, Policy, unjudged
from .audit import AuditSetting, audit_change
from .change import Change
from .finished import Finished
from .learned.evidence import Images
from .networks import Hosted, Networks
from .references import References, read_references

DECIDE_EARLY = "decided early"
"""Marks audits that may have left something out: none of them stands for a whole one."""


@dataclass(frozen=True)
class AuditRequest:
    """What is asked of an audit; where a field is empty or 0, the preset decides."""

    preset: str = "quick"
    """Name of the preset."""
    seed: int = 0
    """Seed of all noise."""
    metrics: tuple[str, ...] = METRICS
    """Metrics to run."""
    per_class: int = 0
    """Labelled images of each class."""
    class_prompt: str = ""
    """Prompt of a class, {} its name."""
    stages: tuple[Stage, ...] = ()
    """Rounds of the classifier."""
    loss: str = ""
    """Denoising error of the classifier."""
    guidance_scale: float = 0.0
    """Classifier-free guidance of the drawings."""
    features: str = ""
    """Feature network of KID."""
    open_clip: str = ""
    """Network of open_clip that stands for CLIP, "MODEL/TAG"; empty for CLIP ViT-B/32."""
    images: Path | None = None
    """Folder of labelled images; None where the data set of the base is to be used."""
    dataset: str = ""
    """Layout of that folder; empty for the one that it has."""
    prompt_form: str = AUTO
    """Language of the prompts: "sentences", "tags", or "auto" for that of the base."""
    words: tuple[str, ...] = ()
    """What the damage map asks instead of its vocabulary."""
    concept: tuple[str, ...] = ()
    """Words for what LoRAs were trained to change: the damage map shows it apart, and references are pictures of it."""
    references: Path | None = None
    """Folder of pictures of it that what LoRAs draw is compared with; None where that is not asked."""
    decide_early: bool = False
    """Whether what is left is not measured once the verdict is DRIFT."""

    def __post_init__(self) -> None:
        if self.dataset and self.images is None:
            raise UsageError(f"{self.dataset} is the layout of a folder, and none is named.", Setting("images"))
        named = {"words": self.words, "concept": self.concept if self.references is None else ()}
        if any(named.values()) and Screened not in needed(self.metrics):
            given = [Setting(name) for name, words in named.items() if words]
            raise UsageError("Only the damage map asks words; it is the metric map.", Setting("metrics", "map"), *given)
        if self.open_clip and not any(metric.takes_open_clip for metric in chosen(self.metrics)):
            names = ", ".join(metric.name for metric in all_metrics() if metric.takes_open_clip)
            raise UsageError(f"Only {names} compare by CLIP.", Setting("metrics"), Setting("open_clip"))


def plan_for(
    request: AuditRequest, family: str, side: int, given: LabelledImages | None = None, names: Sequence[str] = ()
) -> tuple[AuditPlan, LabelledImages | None]:
    """Return the plan for a base of a family that draws at `side` pixels, and the labelled images.

    `names` are those of the base, by which the language of its prompts is told. The images are those `given`, those of
    the folder asked for, or those that ship for the base; None where it makes them. Raises UsageError for what cannot
    be read or run.
    """
    chosen(request.metrics)
    known = families.get(family)
    plan = in_form(preset_plan(request.preset, family), known.prompt_form(request.prompt_form, names))
    usual = known.drawing(names)
    dataset = None
    if given is None and request.images is not None:
        dataset = find_dataset(request.images, request.dataset)
        plan = plan if dataset.published is None else dataset.published.protocol.asked_by(plan)
    plan = dataclasses.replace(
        plan,
        seed=request.seed,
        metrics=in_order(request.metrics),
        per_class=request.per_class or plan.per_class,
        class_prompt=request.class_prompt or plan.class_prompt,
        stages=request.stages or plan.stages,
        loss=request.loss or plan.loss,
        guidance_scale=request.guidance_scale or usual.guidance_scale or plan.guidance_scale,
        sampling_steps=usual.steps or plan.sampling_steps,
        features=request.features or plan.features,
        open_clip=request.open_clip,
    )
    if Screened in needed(plan.metrics):
        plan = with_vocabulary(plan, family, request.words)
    name = GENERAL
    if dataset is not None and request.images is not None:
        name, given = dataset.name, dataset.images(request.images, side, plan.per_class, plan.seed)
    if given is not None:
        return dataclasses.replace(plan, dataset=name, dataset_digest=given.digest(), classes=given.classes), given
    return plan, read_shipped(plan.dataset, side, plan.per_class)


@dataclass(frozen=True)
class Places:
    """Where an audit reads what is known already and writes what it finds."""

    out: Path
    """Every report gets a folder of its own below it."""
    cache: Path
    """Base results, for the next LoRA."""
    resume: bool = True
    """Whether an interrupted run of the same audit is continued, and not begun anew."""
    formats: tuple[str, ...] = default_formats()
    """Output formats of the report."""
    cache_limit: int = CACHE_LIMIT
    """Bytes that base results may take there: those used longest ago are given up for others."""
    reuse: bool = False
    """Whether a finished report of the same audit, wherever the cache knows one, stands for measuring it again."""


@dataclass(frozen=True)
class Published:
    """A report and where it lies."""

    report: Report
    """The report."""
    folder: Path
    """Its folder, where its pictures are too."""
    files: tuple[Path, ...]
    """What the output formats wrote there."""
    remembered: bool = False
    """Whether an earlier run measured it, and this one nothing."""


class AuditSession:
    """Audits changes of bases as one request asks; what they share is loaded once."""

    def __init__(
        self,
        request: AuditRequest,
        policy: Policy,
        places: Places,
        fetching: Fetching,
        hosted: Hosted = lambda network: network,
    ) -> None:
        """Take where networks come from and run, and how a host puts one under its own memory management.

        Raises UsageError where the places cannot be written: after the work it would be too late.
        """
        require_writable(places.out, Setting("out"))
        require_writable(places.cache, Setting("cache"))
        self._request, self._policy, self._places = request, policy, places
        self._networks = Networks(fetching, hosted)
        self._pictures: dict[int, Images] = {}

    def note(self, word: Callable[[Setting], str]) -> str:
        """Return what is known of every verdict before the work begins, in a host's words; "" where nothing is."""
        known = unjudged(self._request.metrics, self._policy)
        return known and with_words(known, OF_UNJUDGED, word)

    def audit(
        self,
        denoiser: Denoiser,
        change: Change,
        stem: str,
        batch: Batching,
        progress: Progress,
        *,
        given: LabelledImages | None = None,
        names: Sequence[str] = (),
        other_base: str = "",
        learning: Learning | None = None,
        claimed: Sequence[str] = (),
        announce: Callable[[AuditPlan, AuditSetting], None] = lambda plan, setting: None,
    ) -> Published:
        """Return the report of a change, in a folder whose name begins with `stem`.

        `names` are further names of the base, as its metadata may give it. `other_base` goes into the report, see
        `AuditSetting`, and so does `learning`, what a training knows of the change. `claimed` are words by which a file
        calls what it changes. `announce` hears of plan and setting before a change that fits is measured. Raises
        UsageError where another run is at the same audit. What does not fit is INVALID at once: nothing is fetched for
        it.
        """
        plan, labelled = plan_for(self._request, denoiser.family, denoiser.resolution, given, (denoiser.name, *names))
        fits = change.refusal() is None
        progress.subject(BASE)  # what is loaded serves every change
        networks = self._networks.of_metrics(plan, progress) if fits else {}
        references = self._compared(denoiser, progress) if fits else None
        progress.subject(LORA)
        places = self._places
        run = self._run(denoiser, change, plan, networks)
        if references is not None:
            run = "|".join((run, references.digest, *claimed))
        folder = self._folder(stem, plan, run)
        finished = Finished(places.cache, run, denoiser.digest(), plan_digest(plan), change)
        setting = AuditSetting(
            folder,
            places.cache,
            self._policy,
            progress,
            batch,
            networks,
            labelled,
            other_base,
            self._request.concept,
            tuple(claimed),
            references,
            self._request.decide_early,
        )
        with only_one(folder):
            published = self._audit_in(folder, denoiser, change, plan, setting, finished, learning, announce)
        give_up(places.cache, places.cache_limit)
        return published

    def _audit_in(
        self,
        folder: Path,
        denoiser: Denoiser,
        change: Change,
        plan: AuditPlan,
        setting: AuditSetting,
        finished: Finished,
        learning: Learning | None,
        announce: Callable[[AuditPlan, AuditSetting], None],
    ) -> Published:
        """Return the report of a change in a folder that nobody else writes: the one that is there, or a new one."""
        remove_unfinished(folder)
        known = finished.find(folder) if self._places.reuse else None
        if known is not None:
            report = _with(rejudged(known, self._policy), learning, setting.references)
            return dataclasses.replace(self._publish(report, folder, finished, change), remembered=True)
        if not self._places.resume:
            _remove_samples(folder)
        if change.refusal() is None:
            announce(plan, setting)
        try:
            report = audit_change(denoiser, change, plan, setting)
        except BaseException:
            if not change.is_repeatable:
                _remove_samples(folder)
            raise
        setting.progress.stage("Writing the report")
        return self._publish(_with(report, learning, setting.references), folder, finished, change)

    def _publish(self, report: Report, folder: Path, finished: Finished, change: Change) -> Published:
        """Write a report, and forget the samples that are not needed any more."""
        files = publish(report, folder, self._places.formats)
        if report.status == "complete":
            finished.remember(folder)
        if report.status == "complete" or not change.is_repeatable:
            _remove_samples(folder)
        return Published(report, folder, files)

    def _compared(self, denoiser: Denoiser, progress: Progress) -> References | None:
        """Return the references with the networks that see them; None where there are none."""
        folder, side = self._request.references, denoiser.resolution
        if folder is None:
            return None
        if side not in self._pictures:
            self._pictures[side] = read_references(folder, side)
        return References(self._pictures[side], self._networks.of_concept(denoiser.family, progress))

    def _run(self, denoiser: Denoiser, change: Change, plan: AuditPlan, networks: Mapping[str, FeatureNetwork]) -> str:
        """Return all that what is measured depends on."""
        base = (denoiser.digest(), denoiser.device.type, str(denoiser.dtype), str(denoiser.latent_shape))
        # A network's name says little: folders and hub ids get other weights.
        weights = (network.digest for network in networks.values())
        early = (DECIDE_EARLY, repr(self._policy)) if self._request.decide_early else ()
        return "|".join((*base, *weights, *change.key, plan_digest(plan), *self._request.concept, *early))

    def _folder(self, stem: str, plan: AuditPlan, run: str) -> Path:
        """Return the report's own folder, named by all that it depends on: another audit never replaces it."""
        name = hashlib.sha256(f"{run}|{self._policy}".encode()).hexdigest()[:8]
        folder = self._places.out / f"{stem}-{plan.preset}-{name}"
        require_writable(folder, Setting("out"))
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _with(report: Report, learning: Learning | None, references: References | None) -> Report:
    """Return a report with what is known of learning: by the references that it was compared with, or by a training."""
    return report if references is not None else dataclasses.replace(report, learning=learning)


def _remove_samples(folder: Path) -> None:
    for path in folder.glob("samples-*.sqlite*"):
        path.unlink()
