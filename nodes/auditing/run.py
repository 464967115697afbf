"""Audits in the graph: everything between a node's inputs and the report on disk."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import OwfError, UsageError
from ...core.text import file_stem, inert
from ..backend import places
from ..ui.progress import NodeProgress
from ..ui.wording import in_graph
from .forecast import audited, pace
from .request import label_images, policy_from, require_one_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from ...core.audit.audit import AuditSetting
    from ...core.audit.request import AuditRequest
    from ...core.datasets.images.labelled import LabelledImages
    from ...core.plan.audit_plan import AuditPlan
    from ...core.verdict.report import Report
    from ..backend.change import GraphChange, LoraChange
    from ..backend.model.denoiser import ComfyDenoiser, Pair
    from .upstream import Loaded


@dataclass(frozen=True)
class Tuned:
    """What is audited: a LoRA by name, or a second pair of MODEL and CLIP."""

    lora: str
    """Choice among ComfyUI's LoRA files, or `places.NONE`."""
    strength: float
    """Strength of the LoRA."""
    model: Any = None
    """Second MODEL; None for a LoRA."""
    clip: Any = None
    """Second CLIP; None where only MODEL differs."""
    loras: "tuple[Loaded, ...]" = ()
    """What the graph's loaders put onto these, where they say so."""

    @property
    def from_graph(self) -> bool:
        """Return whether it is whatever the graph did, and not a LoRA file."""
        return self.model is not None or self.clip is not None


@dataclass(frozen=True)
class Probes:
    """Labelled images of the user's own, if any."""

    images: "torch.Tensor | None" = None
    """IMAGE batch."""
    labels: str = ""
    """Class of each image of the batch."""
    folder: str = ""
    """Folder below ComfyUI's input folder, in any layout that `core/datasets` reads."""


@dataclass(frozen=True)
class AuditResult:
    """What an audit left behind."""

    report: "Report"
    """The report."""
    folder: Path
    """Where it lies."""
    tuned: "Pair"
    """The MODEL and CLIP that were judged."""
    remembered: bool = False
    """Whether an earlier audit measured it, and this one nothing."""


@dataclass(frozen=True)
class Question:
    """What is asked of every change of a base, as a node has it."""

    request: "AuditRequest"
    """The plan."""
    policy: str = ""
    """Limits in TOML; empty for the default ones."""
    probes: Probes = field(default_factory=Probes)
    """Labelled images."""
    base: str = ""
    """File of the base, where the graph names one: it says how people draw with it, and how they ask it."""


class NodeAudits:
    """Audits changes of one base, all asked the same; networks and the base's digest are read once.

    Every audit leaves the graph's models as they were. It raises UsageError, which says what to change, and ComfyUI's
    exception when the user pressed cancel; an interrupted audit of a LoRA file continues where it stopped when it is
    queued again, and a finished one stands.
    """

    def __init__(self, base: "Pair", vae: Any, question: Question, progress: NodeProgress) -> None:
        from ...core.audit.request import side_for
        from ...core.audit.session import AuditSession, Places
        from ...core.metrics.images.features import Fetching
        from ..backend.features import HostFeatures
        from ..backend.model.denoiser import ComfyDenoiser

        self.question, self.policy, self._progress = question, policy_from(question.policy), progress
        where = Places(places.reports_folder(), places.cache_folder(), reuse=True)
        fetching = Fetching(progress=progress)
        self._session = AuditSession(question.request, self.policy, where, fetching, HostFeatures)
        note = self._session.note(in_graph)
        if note:
            logging.warning("OWF: %s", note)
        self.base = ComfyDenoiser(base, vae, None, progress.preview, progress)
        self.base.name = question.base or self.base.name
        self.base.resize(side_for(question.request, self.base.family, self.base.made_for))
        self._given = _labelled(question.probes, self.base.resolution)
        progress.stage("Reading the base")
        self.base.digest()

    @property
    def given_digest(self) -> str:
        """Return what tells the labelled images that were connected; "" without any."""
        return "" if self._given is None else self._given.digest()

    def lora(self, choice: str, strength: float) -> AuditResult:
        """Return the result of auditing a LoRA of `places.lora_choices` at a strength."""
        from ..backend.change import LoraChange
        from ..backend.lora_file import read_lora

        self._progress.stage("Applying the change")
        change = LoraChange(self.base, read_lora(choice), strength)
        return self._audit(change, Path(choice).stem)

    def graph(self, model: Any, clip: Any, loras: "Sequence[Loaded]" = ()) -> AuditResult:
        """Return the result of auditing what the graph made of MODEL, of CLIP, or of both; None is the base's own.

        `loras` are those among it that are known: the report is called by them, and what they claim is their own.
        """
        from ..backend.change import GraphChange
        from ..backend.model.denoiser import Pair

        self._progress.stage("Applying the change")
        pair = self.base.base
        title = " + ".join(lora.title for lora in loras)
        claimed = tuple(word for lora in loras for word in _words(lora))
        change = GraphChange(self.base, Pair(model or pair.model, clip or pair.clip), title, claimed)
        return self._audit(change, title or "graph")

    def _audit(self, change: "LoraChange | GraphChange", name: str) -> AuditResult:
        from ...core.model.diffusion.batch import Batching, default_batching

        base, progress = self.base, self._progress
        progress.resumes = change.is_repeatable
        # ComfyUI is not made for several threads in one model, so slices are not run side by side.
        batch = Batching(default_batching(base).size)

        def announce(plan: "AuditPlan", setting: "AuditSetting") -> None:
            progress.ahead(_ahead(base, change, plan, setting))

        try:
            published = self._session.audit(
                base, change, file_stem(name, "lora"), batch, progress, given=self._given, announce=announce
            )
        finally:
            base.load_base()
        if published.report.status == "complete" and not base.is_patched:
            audited(base, progress.seconds_per_row)
        return AuditResult(published.report, published.folder, change.tuned, published.remembered)


def run_audit(base: "Pair", vae: Any, tuned: Tuned, question: Question, progress: NodeProgress) -> AuditResult:
    """Return the result of auditing `tuned` against `base`, and keep that of a file in the ledger; see `NodeAudits`."""
    from .many import keep

    by_name = tuned.lora != places.NONE
    require_one_source(by_name, tuned.from_graph)
    audits = NodeAudits(base, vae, question, progress)
    if not by_name:
        return audits.graph(tuned.model, tuned.clip, tuned.loras)
    result = audits.lora(tuned.lora, tuned.strength)
    if not audits.base.is_patched:  # its verdict would be taken for one on the base as it was
        keep(audits, tuned.lora, tuned.strength, result)
    return result


def _words(lora: "Loaded") -> tuple[str, ...]:
    """Return by which words a file of the graph calls its concept; none where it cannot be read."""
    from ..backend.lora_file import read_lora

    try:
        return read_lora(lora.name).trigger_words
    except OwfError as error:
        logging.warning("OWF: what %s was trained on is not known: %s", inert(lora.name, 120), error)
        return ()


def _ahead(
    denoiser: "ComfyDenoiser", change: "LoraChange | GraphChange", plan: "AuditPlan", setting: "AuditSetting"
) -> str:
    """Return the rows that are left of an audit, what of it is cached, and how long it takes where that is known."""
    from ...core.audit.audit import to_do
    from ...core.audit.outlook import rows_ahead

    left, whole = to_do(denoiser, change.key, plan, setting)
    return f"{rows_ahead(left, whole)}.{pace(denoiser.digest(), left.tuned + left.base)}"


def _labelled(probes: Probes, side: int) -> "LabelledImages | None":
    """Return the images of the graph with their labels; None where they come from elsewhere."""
    if probes.images is not None and probes.folder:
        raise UsageError("Connect probe_images or name a probe_folder, not both.")
    if probes.labels.strip() and probes.images is None:
        raise UsageError("probe_labels has labels, but there are no probe_images; connect them.")
    return None if probes.images is None else label_images(probes.images, probes.labels, side)
