"""One optimisation step: loss = concept + sum of weight * preservation, its gradient clipped and applied."""

import math
from collections.abc import Mapping

from torch import nn

from ...progress import Progress
from ..cost import step_rows
from ..data.concept import ConceptData
from ..data.rows import Draw
from ..plan import TrainPlan
from ..preserve.term import Regularizer
from .loss import LossMaker
from .optimizer import set_rate
from .state import StepLosses, TrainState


class Step:
    """Takes steps; what one draws depends on its number alone."""

    def __init__(
        self,
        losses: LossMaker,
        data: ConceptData,
        terms: Mapping[str, Regularizer],
        plan: TrainPlan,
        progress: Progress,
    ) -> None:
        self._losses, self._data, self._terms = losses, data, terms
        self._plan, self._progress = plan, progress

    def take(self, state: TrainState) -> StepLosses:
        """Return what the step found; raise InvalidError where loss or gradient are not finite."""
        plan = self._plan
        rate = set_rate(state.optimizer, plan, state.step)
        concept, terms = self._gradients(state)
        state.scaler.unscale_(state.optimizer)
        norm = nn.utils.clip_grad_norm_(state.parameters, plan.clip or math.inf)
        if not state.scaler.is_enabled():  # which meets such gradients at times, and leaves their steps out
            state.require_finite(norm.item(), "gradient")
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.optimizer.zero_grad()
        state.step += 1
        state.update_average(plan.ema)
        return StepLosses(concept, terms, rate)

    def _gradients(self, state: TrainState) -> tuple[float, dict[str, float]]:
        """Accumulate the step's gradients; return the concept's mean loss and those of the terms."""
        plan, concept, terms = self._plan, 0.0, {}
        asking = self._terms if plan.is_preserving(state.step) else {}
        for part in range(plan.accumulate):
            draw = Draw(plan.seed, state.step, part)
            losses = self._losses.losses(self._data.rows(draw), draw, asking)
            total = losses.concept + sum(state.weights[name] * value for name, value in losses.terms.items())
            state.scaler.scale(total / plan.accumulate).backward()
            concept += losses.concept.item() / plan.accumulate
            for name, value in losses.terms.items():
                terms[name] = terms.get(name, 0.0) + value.item() / plan.accumulate
        self._progress.advance(step_rows(plan, state.step))
        state.require_finite(concept + sum(state.weights[name] * value for name, value in terms.items()), "loss")
        return concept, terms
