"""One audit, whichever host asks for it: from what is asked to the report in its folder."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import families
from ..datasets.dataset import find_dataset
from ..datasets.labelled import LabelledImages
from ..datasets.shipped import read_shipped
from ..disk.lock import only_one
from ..disk.writable import require_writable
from ..errors import Setting, UsageError, with_words
from ..families.prompt_form import AUTO
from ..metrics.images.features import FeatureNetwork, Fetching, ImageFeatures
from ..metrics.metric import chosen
from ..model.batch import Batching
from ..model.denoiser import Denoiser
from ..plan.audit_plan import AuditPlan, Stage, plan_digest
from ..plan.presets import METRICS, in_form, in_order, preset_plan
from ..progress import Progress
from ..render.formats.format import default_formats, publish
from ..verdict.report import Report
from ..verdict.verdict import OF_UNJUDGED, Policy, unjudged
from .audit import AuditSetting, audit_change
from .change import Change


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
    images: Path | None = None
    """Folder of labelled images; None where the data set of the base is to be used."""
    dataset: str = ""
    """Layout of that folder; empty for the one that it has."""
    prompt_form: str = AUTO
    """Language of the prompts: "sentences", "tags", or "auto" for that of the base."""

    def __post_init__(self) -> None:
        if self.dataset and self.images is None:
            raise UsageError(f"{self.dataset} is the layout of a folder, and none is named.", Setting("images"))


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
    plan = dataclasses.replace(
        plan,
        seed=request.seed,
        metrics=in_order(request.metrics),
        per_class=request.per_class or plan.per_class,
        class_prompt=request.class_prompt or plan.class_prompt,
        stages=request.stages or plan.stages,
        loss=request.loss or plan.loss,
        guidance_scale=request.guidance_scale or known.guidance_scale or plan.guidance_scale,
        features=request.features or plan.features,
    )
    name = "folder"
    if given is None and request.images is not None:
        dataset = find_dataset(request.images, request.dataset)
        name, given = dataset.name, dataset.read(request.images, side, plan.per_class)
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


@dataclass(frozen=True)
class Published:
    """A report and where it lies."""

    report: Report
    """The report."""
    folder: Path
    """Its folder, where its pictures are too."""
    files: tuple[Path, ...]
    """What the output formats wrote there."""


class AuditSession:
    """Audits changes of bases as one request asks; what they share is loaded once."""

    def __init__(
        self,
        request: AuditRequest,
        policy: Policy,
        places: Places,
        fetching: Fetching,
        hosted: Callable[[ImageFeatures], FeatureNetwork] = lambda network: network,
    ) -> None:
        """Take where networks come from and run, and how a host puts one under its own memory management.

        Raises UsageError where the places cannot be written: after the work it would be too late.
        """
        require_writable(places.out, Setting("out"))
        require_writable(places.cache, Setting("cache"))
        self._request, self._policy, self._places = request, policy, places
        self._fetching, self._hosted = fetching, hosted
        self._networks: dict[tuple[str, str], FeatureNetwork] = {}

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
        announce: Callable[[AuditPlan, AuditSetting], None] = lambda plan, setting: None,
    ) -> Published:
        """Return the report of a change, in a folder whose name begins with `stem`.

        `names` are further names of the base, as its metadata may give it. `other_base` goes into the report, see
        `AuditSetting`. `announce` hears of plan and setting before a change that fits is measured. Raises UsageError
        where another run is at the same audit. What does not fit is INVALID at once: nothing is fetched for it.
        """
        plan, labelled = plan_for(self._request, denoiser.family, denoiser.resolution, given, (denoiser.name, *names))
        fits = change.refusal() is None
        networks = self._load_networks(plan, progress) if fits else {}
        folder = self._folder(denoiser, change, plan, networks, stem)
        places = self._places
        setting = AuditSetting(folder, places.cache, self._policy, progress, batch, networks, labelled, other_base)
        with only_one(folder):
            if not self._places.resume:
                _remove_samples(folder)
            if fits:
                announce(plan, setting)
            try:
                report = audit_change(denoiser, change, plan, setting)
            except BaseException:
                if not change.is_repeatable:
                    _remove_samples(folder)
                raise
            progress.stage("Writing the report")
            files = publish(report, folder, self._places.formats)
            if report.status == "complete" or not change.is_repeatable:
                _remove_samples(folder)
        return Published(report, folder, files)

    def _load_networks(self, plan: AuditPlan, progress: Progress) -> dict[str, FeatureNetwork]:
        """Return the networks of the plan's metrics, by metric."""
        wanted = {metric.name: metric.network for metric in chosen(plan.metrics) if metric.network is not None}
        for name, load in wanted.items():
            if (name, plan.features) not in self._networks:
                progress.stage("Loading the feature network")
                self._networks[name, plan.features] = self._hosted(load(plan, self._fetching))
        return {name: self._networks[name, plan.features] for name in wanted}

    def _folder(
        self,
        denoiser: Denoiser,
        change: Change,
        plan: AuditPlan,
        networks: Mapping[str, FeatureNetwork],
        stem: str,
    ) -> Path:
        """Return the report's own folder, named by all that it depends on: another audit never replaces it."""
        base = (denoiser.digest(), denoiser.device.type, str(denoiser.dtype), str(denoiser.latent_shape))
        # A network's name says little: folders and hub ids get other weights.
        weights = (network.digest for network in networks.values())
        run = "|".join((*base, *weights, *change.key, plan_digest(plan), str(self._policy)))
        folder = self._places.out / f"{stem}-{plan.preset}-{hashlib.sha256(run.encode()).hexdigest()[:8]}"
        require_writable(folder, Setting("out"))
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _remove_samples(folder: Path) -> None:
    for path in folder.glob("samples-*.sqlite*"):
        path.unlink()
