"""A training on its node: the curves of the panel, and a picture of them for the preview."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...core.train.plan import TrainPlan, plan_digest
from .panel import learned_panel
from .progress import NodeProgress, send

if TYPE_CHECKING:
    from PIL.Image import Image

    from ...core.train.curves import Curves
    from ...core.train.records import StepRecord
    from ...core.verdict.learning import Learning

EVENT = "owf.training"
"""Name of the message that web/owf.js listens to."""
_EVERY, _PREVIEW_EVERY = 0.3, 3.0
"""Seconds between messages, and between pictures, which cost more."""
_MOST_POINTS = 400
"""Points of a curve in the panel: about its pixels."""


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
            send(EVENT, self.node_id, {**data, "values": values(record), "targets": targets(self.plan)})
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

    def panel(self, notes: Sequence[str], learning: "Learning | None") -> dict[str, Any]:
        """Return the node's panel after the training."""
        curves: dict[str, list[tuple[int, float]]] = {}
        for record in self.records:
            for name, value in values(record).items():
                curves.setdefault(name, []).append((record.step, value))
        thin = {name: _thinned(points) for name, points in curves.items()}
        head = {"kind": "curves", "title": self.title, "steps": self.plan.steps, "run": plan_digest(self.plan)}
        shown = {**head, "curves": thin, "targets": targets(self.plan), "notes": list(notes)}
        return {**shown, **learned_panel(learning)}


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return at most about `_MOST_POINTS` of them, the last among them."""
    every = -(-len(points) // _MOST_POINTS)
    return points[(len(points) - 1) % every :: every]


def values(record: "StepRecord") -> dict[str, float]:
    """Return a step's value of every curve that it has one for."""
    found = {"loss": record.loss, **{f"{name} loss": value for name, value in record.terms.items()}}
    if record.drift is not None:
        found["drift"] = record.drift
    if record.gain is not None:
        found["concept gain"] = record.gain
    if "dc" in record.weights:
        found["dc weight"] = record.weights["dc"]
    return found


def targets(plan: TrainPlan) -> dict[str, float]:
    """Return the line that a curve is to stay under."""
    return {"drift": plan.drift_budget} if plan.drift_budget else {}
