"""A training on its node: the curves of the panel, and a picture of them for the preview."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...core.render.curve_data import curves, targets, values
from ...core.train.plan import TrainPlan, plan_digest
from .progress import NodeProgress, send

if TYPE_CHECKING:
    from PIL.Image import Image

    from ...core.train.curves import Curves
    from ...core.train.records import StepRecord

EVENT = "owf.training"
"""Name of the message that web/owf.js listens to."""
_EVERY, _PREVIEW_EVERY = 0.3, 3.0
"""Seconds between messages, and between pictures, which cost more."""


@dataclass
class Watcher:
    """Follows a training: curves for the panel and a picture of them for the preview."""

    plan: TrainPlan
    """What is trained."""
    node_id: str | None
    """Who shows it."""
    progress: NodeProgress
    """The node's bar."""
    title: str
    """Name of the LoRA."""
    curves: "Curves | None" = None
    """The log that a training which is queued again goes on from."""
    records: "list[StepRecord]" = field(default_factory=list)
    """Every step so far."""
    left_out: list[str] = field(default_factory=list)
    """What of the pictures is not used, a sentence each."""
    _sent: float = 0.0
    _drawn: float = 0.0

    def __call__(self, record: "StepRecord") -> None:
        """Take one step; raises ComfyUI's exception if the user pressed cancel."""
        from ..backend.host import check_interrupt

        check_interrupt()
        self._keep(record)
        now = time.monotonic()
        if now - self._sent > _EVERY or record.drift is not None or record.step == self.plan.steps:
            self._sent = now
            data = {"title": self.title, "step": record.step, "steps": self.plan.steps, "run": plan_digest(self.plan)}
            send(EVENT, self.node_id, {**data, "values": values(record), "targets": targets(self.plan.drift_budget)})
        if now - self._drawn > _PREVIEW_EVERY and len(self.records) > 1:
            self._drawn = now
            self.progress.picture(self.picture())

    def _keep(self, record: "StepRecord") -> None:
        if self.curves is not None and not self.records:
            self.records = self.curves.records()  # a cancelled run may have made the first ones
        else:
            self.records.append(record)

    def picture(self) -> "Image":
        """Return loss, drift and weight of drift correction as a picture."""
        from ...core.render.pictures.curves import draw_curves

        return draw_curves(self.records, self.plan.drift_budget)

    def panel(self, notes: Sequence[str]) -> dict[str, Any]:
        """Return the node's panel after the training."""
        head = {"kind": "curves", "title": self.title, "steps": self.plan.steps, "run": plan_digest(self.plan)}
        return {
            **head,
            "curves": curves(self.records),
            "targets": targets(self.plan.drift_budget),
            "notes": list(notes),
        }
