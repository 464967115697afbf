"""One audit in the graph: everything between a node's inputs and the report on disk."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import UsageError
from ..core.text import file_stem
from .backend import places
from .request import label_images, policy_from
from .ui.progress import NodeProgress
from .ui.wording import in_graph

if TYPE_CHECKING:
    import torch

    from ..core.audit.session import AuditRequest
    from ..core.datasets.labelled import LabelledImages
    from ..core.verdict.report import Report
    from .backend.change import GraphChange, LoraChange
    from .backend.model.denoiser import ComfyDenoiser, Pair


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


def run_audit(
    base: "Pair",
    vae: Any,
    tuned: Tuned,
    request: "AuditRequest",
    probes: Probes,
    policy: str,
    resolution: int,
    progress: NodeProgress,
) -> AuditResult:
    """Return the result of auditing `tuned` against `base`; the graph's models are left as they were.

    Raises UsageError, which says what to change, and ComfyUI's exception when the user pressed cancel; an
    interrupted audit of a LoRA file continues where it stopped when it is queued again.
    """
    from ..core.audit.session import AuditSession, Places
    from ..core.metrics.images.features import Fetching
    from ..core.model.batch import Batching, default_batching
    from .backend.features import HostFeatures
    from .backend.model.denoiser import ComfyDenoiser

    where = Places(places.reports_folder(), places.cache_folder())
    session = AuditSession(request, policy_from(policy), where, Fetching(progress=progress), HostFeatures)
    note = session.note(in_graph)
    if note:
        logging.warning("OWF: %s", note)
    denoiser = ComfyDenoiser(base, vae, resolution or None, progress.preview, progress)
    _require_size(denoiser)
    given = _labelled(probes, denoiser.resolution)
    progress.stage("Reading the base")
    denoiser.digest()
    progress.stage("Applying the change")
    change = _change(denoiser, tuned)
    stem = file_stem("graph" if tuned.from_graph else Path(tuned.lora).stem, "lora")
    # ComfyUI is not made for several threads in one model, so slices are not run side by side.
    batch = Batching(default_batching(denoiser).size)
    try:
        published = session.audit(denoiser, change, stem, batch, progress, given=given)
    finally:
        denoiser.load_base()
    return AuditResult(published.report, published.folder, change.tuned)


def _require_size(denoiser: "ComfyDenoiser") -> None:
    """Raise UsageError for images so small that the family never learned any like them: they hide drift."""
    usual = denoiser.usual_resolution
    if denoiser.resolution < _LEAST_SHARE * usual:
        least = int(_LEAST_SHARE * usual)
        raise UsageError(
            f"resolution {denoiser.resolution} is too small for {denoiser.name}, which is made for {usual}; "
            f"choose at least {least}, or 0."
        )


def _labelled(probes: Probes, side: int) -> "LabelledImages | None":
    """Return the images of the graph with their labels; None where they come from elsewhere."""
    if probes.images is not None and probes.folder:
        raise UsageError("Connect probe_images or name a probe_folder, not both.")
    if probes.labels.strip() and probes.images is None:
        raise UsageError("probe_labels has labels, but there are no probe_images; connect them.")
    return None if probes.images is None else label_images(probes.images, probes.labels, side)


def _change(denoiser: "ComfyDenoiser", tuned: Tuned) -> "LoraChange | GraphChange":
    from ..core.adapter import read_adapter
    from .backend.change import GraphChange, LoraChange
    from .backend.model.denoiser import Pair

    by_name = tuned.lora != places.NONE
    if by_name == tuned.from_graph:
        raise UsageError("Choose a LoRA by name, or connect tuned_model (and tuned_clip): one of the two.")
    if by_name:
        return LoraChange(denoiser, read_adapter(places.lora_path(tuned.lora)), tuned.strength)
    return GraphChange(denoiser, Pair(tuned.model or denoiser.base.model, tuned.clip or denoiser.base.clip))
