"""One audit, whichever host asks for it: from what is asked to the report in its folder."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import families
from ..datasets.images.labelled import LabelledImages
from ..disk.files import remove_unfinished
from ..disk.lock import only_one
from ..disk.places import CACHE_LIMIT
from ..disk.stores import give_up
from ..disk.writable import require_writable
from ..errors import Setting, with_words
from ..metrics.images.features import FeatureNetwork, Fetching
from ..metrics.metric import chosen
from ..model.diffusion.batch import Batching
from ..model.diffusion.denoiser import Denoiser, asked_at
from ..plan.audit_plan import AuditPlan, plan_digest
from ..progress import BASE, LORA, Progress
from ..render.formats.format import default_formats, publish
from ..verdict import learning as learned
from ..verdict.judge import OF_UNJUDGED, unjudged
from ..verdict.learning import Learning
from ..verdict.policy import Policy
from ..verdict.rejudge import rejudged
from ..verdict.report import Report
from .audit import AuditSetting, audit_change
from .change import Change
from .finished import Finished
from .learned.evidence import Images
from .networks import Hosted, Networks
from .references import References, read_references
from .request import AuditRequest, not_asked, plan_for

DECIDE_EARLY = "decided early"
"""Marks audits that may have left something out: none of them stands for a whole one."""


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
        known = unjudged(self._request.measured, self._policy)
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
        announce: Callable[[AuditPlan, AuditSetting], None] = lambda plan, setting: None,
    ) -> Published:
        """Return the report of a change, in a folder whose name begins with `stem`.

        `names` are further names of the base. `other_base` and `learning`, which a training knows, go into the report.
        `announce` hears of plan and setting before what fits is measured. Raises UsageError where another is at it.
        """
        names = (denoiser.name, *names)
        plan, labelled = plan_for(self._request, denoiser.family, denoiser.made_for, given, names)
        with asked_at(denoiser, plan.side(denoiser.made_for)):
            networks, references = self._loaded(denoiser, change, plan, progress)
            run = self._run(denoiser, change, plan, networks, references)
            setting = AuditSetting(
                self._folder(stem, plan, run),
                self._places.cache,
                self._policy,
                progress,
                batch,
                networks,
                labelled,
                other_base,
                self._request.concept,
                change.claimed,
                references,
                self._request.decide_early,
                not_asked(self._request, plan),
                families.get(denoiser.family).drawing(names),
            )
            finished = Finished(self._places.cache, run, denoiser.digest(), plan_digest(plan), change)
            with only_one(setting.folder):
                if (published := self._found(setting, finished, change, learning)) is None:
                    if change.refusal() is None:
                        announce(plan, setting)
                    with _samples(setting.folder, change):
                        report = audit_change(denoiser, change, plan, setting)
                    progress.stage("Writing the report")
                    published = self._publish(_with(report, learning, references), setting.folder, finished, change)
                return published

    def _loaded(
        self, denoiser: Denoiser, change: Change, plan: AuditPlan, progress: Progress
    ) -> tuple[Mapping[str, FeatureNetwork], References | None]:
        """Return the networks that metrics need, and the references if there are; nothing for what does not fit."""
        progress.subject(BASE)  # what is loaded serves every change
        fits = change.refusal() is None
        networks = self._networks.of_metrics(plan, progress) if fits else {}
        references = self._compared(denoiser, progress) if fits else None
        progress.subject(LORA)
        return networks, references

    def _found(
        self, setting: AuditSetting, finished: Finished, change: Change, learning: Learning | None
    ) -> Published | None:
        """Return the report that an earlier run finished, judged anew; None where it is to be measured."""
        remove_unfinished(setting.folder)
        known = finished.find(setting.folder) if self._places.reuse else None
        if known is not None:
            report = _with(rejudged(known, self._policy), learning, setting.references)
            return dataclasses.replace(self._publish(report, setting.folder, finished, change), remembered=True)
        if not self._places.resume:
            _remove_samples(setting.folder)
        return None

    def _publish(self, report: Report, folder: Path, finished: Finished, change: Change) -> Published:
        """Write a report, forget the samples that are not needed any more, and give up what the cache has too much."""
        files = publish(report, folder, self._places.formats)
        if report.status == "complete":
            finished.remember(folder)
        if report.status == "complete" or not change.is_repeatable:
            _remove_samples(folder)
        give_up(self._places.cache, self._places.cache_limit)
        return Published(report, folder, files)

    def _compared(self, denoiser: Denoiser, progress: Progress) -> References | None:
        """Return the references with the networks that see them; None where there are none."""
        folder, side = self._request.references, denoiser.resolution
        if folder is None:
            return None
        if side not in self._pictures:
            self._pictures[side] = read_references(folder, side)
        return References(self._pictures[side], self._networks.of_concept(denoiser.family, progress))

    def _run(
        self,
        denoiser: Denoiser,
        change: Change,
        plan: AuditPlan,
        networks: Mapping[str, FeatureNetwork],
        references: References | None,
    ) -> str:
        """Return all that what is measured depends on, definitions of numbers among it."""
        base = (denoiser.digest(), denoiser.device.type, str(denoiser.dtype), str(denoiser.latent_shape))
        # A network's name says little: folders and hub ids get other weights.
        weights = (network.digest for network in networks.values())
        early = (DECIDE_EARLY, repr(self._policy)) if self._request.decide_early else ()
        words = *self._request.concept, *change.claimed
        compared = () if references is None else (references.digest, f"learning {learned.VERSION}")
        versions = (f"{metric.name} {metric.version}" for metric in chosen(plan.metrics))
        return "|".join((*base, *weights, *change.key, plan_digest(plan), *versions, *words, *early, *compared))

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


@contextmanager
def _samples(folder: Path, change: Change) -> Iterator[None]:
    """Return a context that keeps what an interrupted audit measured, where it can be continued."""
    try:
        yield
    except BaseException:
        if not change.is_repeatable:
            _remove_samples(folder)
        raise


def _remove_samples(folder: Path) -> None:
    for path in folder.glob("samples-*.sqlite*"):
        path.unlink()
