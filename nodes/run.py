"""One audit in the graph: everything between a node's inputs and the report on disk."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import UsageError
from ..core.text import file_stem
from . import places
from .progress import NodeProgress
from .request import Wishes, label_images, plan_for, policy_from, with_images

if TYPE_CHECKING:
    import torch

    from ..core.datasets.labelled import LabelledImages
    from ..core.plan import AuditPlan
    from ..core.report import Report
    from .backend.change import GraphChange, LoraChange
    from .backend.denoiser import ComfyDenoiser, Pair
    from .backend.features import HostFeatures


_LEAST_SHARE = 0.5
"""Share of a family's own resolution below which nothing is audited."""


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
    """Folder below ComfyUI's input folder with one subfolder a class."""


@dataclass(frozen=True)
class Outcome:
    """What an audit left behind."""

    report: "Report"
    """The report."""
    folder: Path
    """Where it lies."""
    tuned: "Pair"
    """The MODEL and CLIP that were judged."""


def run_audit(
    base: "Pair",
    vae: Any,
    tuned: Tuned,
    wishes: Wishes,
    probes: Probes,
    policy: str,
    resolution: int,
    progress: NodeProgress,
) -> Outcome:
    """Return the outcome of auditing `tuned` against `base`; the graph's models are left as they were.

    Raises UsageError, which says what to change, and ComfyUI's exception when the user pressed cancel; an
    interrupted audit of a LoRA file continues where it stopped when it is queued again.
    """
    from ..core.audit import Setting, audit_change
    from ..core.batch import Batch, default_batch
    from ..core.plan import plan_digest
    from .backend.denoiser import ComfyDenoiser

    limits = policy_from(policy)
    denoiser = ComfyDenoiser(base, vae, resolution or None, progress.preview, progress.part)
    _require_size(denoiser)
    plan, labelled = with_images(plan_for(denoiser.family, wishes), _labelled(probes, denoiser.resolution, wishes))
    progress.stage("Reading the base")
    denoiser.digest()
    progress.stage("Applying the change")
    change = _change(denoiser, tuned)
    networks = _networks(plan, progress)
    folder = _folder(tuned, plan, (*_origin(denoiser, networks), *change.key, plan_digest(plan), str(limits)))
    # ComfyUI is not made for several threads in one model, so slices are not run side by side.
    batch = Batch(default_batch(denoiser).size)
    setting = Setting(folder, places.cache_folder(), limits, progress, batch, networks, labelled)
    try:
        report = audit_change(denoiser, change, plan, setting)
    finally:
        denoiser.load_base()
        if tuned.from_graph:
            _remove_samples(folder)
    _write(report, folder)
    return Outcome(report, folder, change.tuned)


def _require_size(denoiser: "ComfyDenoiser") -> None:
    """Raise UsageError for images so small that the family never learned any like them: they hide drift."""
    usual = denoiser.usual_resolution
    if denoiser.resolution < _LEAST_SHARE * usual:
        least = int(_LEAST_SHARE * usual)
        raise UsageError(
            f"resolution {denoiser.resolution} is too small for {denoiser.name}, which is made for {usual}; "
            f"choose at least {least}, or 0."
        )


def _labelled(probes: Probes, side: int, wishes: Wishes) -> "LabelledImages | None":
    if probes.images is not None and probes.folder:
        raise UsageError("Connect probe_images or name a probe_folder, not both.")
    if probes.labels.strip() and probes.images is None:
        raise UsageError("probe_labels has labels, but there are no probe_images; connect them.")
    if probes.images is not None:
        return label_images(probes.images, probes.labels, side)
    if not probes.folder:
        return None
    from ..core.datasets.folder import read_folder, survey
    from ..core.files import named

    folder = places.input_folder(probes.folder)
    left_out = survey(folder).left_out
    if left_out:
        logging.warning("OWF: Not used in %s: %s.", folder, named(left_out, folder))
    return read_folder(folder, side, wishes.per_class)


def _change(denoiser: "ComfyDenoiser", tuned: Tuned) -> "LoraChange | GraphChange":
    from ..core.adapter import read_adapter
    from .backend.change import GraphChange, LoraChange
    from .backend.denoiser import Pair

    by_name = tuned.lora != places.NONE
    if by_name == tuned.from_graph:
        raise UsageError("Choose a LoRA by name, or connect tuned_model (and tuned_clip): one of the two.")
    if by_name:
        return LoraChange(denoiser, read_adapter(places.lora_path(tuned.lora)), tuned.strength)
    return GraphChange(denoiser, Pair(tuned.model or denoiser.base.model, tuned.clip or denoiser.base.clip))


def _networks(plan: "AuditPlan", progress: NodeProgress) -> "dict[str, HostFeatures]":
    """Return the networks of the plan's metrics."""
    from ..core.features import Fetching
    from ..core.metrics.metric import chosen
    from .backend.features import HostFeatures

    loads = {metric.name: metric.network for metric in chosen(plan.metrics) if metric.network is not None}
    if loads:
        progress.stage("Loading the feature network")
    fetching = Fetching(progress=progress.part)
    return {name: HostFeatures(load(plan, fetching)) for name, load in loads.items()}


def _origin(denoiser: "ComfyDenoiser", networks: "dict[str, HostFeatures]") -> tuple[str, ...]:
    """Return what names the models that measure: the base, where and how it computes, and the feature networks."""
    base = (denoiser.digest(), denoiser.device.type, str(denoiser.dtype), str(denoiser.latent_shape))
    return (*base, *(network.digest for network in networks.values()))


def _folder(tuned: Tuned, plan: "AuditPlan", run: tuple[str, ...]) -> Path:
    """Return the report's own folder; `run` is everything that it depends on, or another audit would replace it."""
    stem = file_stem("graph" if tuned.from_graph else Path(tuned.lora).stem, "lora")
    mark = hashlib.sha256("|".join(run).encode()).hexdigest()[:8]
    folder = places.reports_folder() / f"{stem}-{plan.preset}-{mark}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(report: "Report", folder: Path) -> None:
    from ..core.render.html import write_html
    from ..core.report import write_report

    write_report(report, folder / "report.json")
    write_html(report, folder)
    _remove_samples(folder)


def _remove_samples(folder: Path) -> None:
    for path in folder.glob("samples-*.sqlite*"):
        path.unlink()
