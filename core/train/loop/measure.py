"""What is measured between steps: drift, which a budget follows, the loss of held-out pictures, and samples."""

from ...model.diffusion.denoiser import TrainableDenoiser
from ..data.concept import ConceptData
from ..plan import TrainPlan
from ..records import StepRecord, TrainSetting
from .balance import ConceptGain, is_turn, turned
from .budget import followed
from .drift import DriftWatch
from .loss import LossMaker
from .samples import write_samples
from .state import StepLosses, TrainState

_VALIDATION_DRAWS = 4
"""Timesteps at which each held-out picture is asked."""


class Measurements:
    """Looks at the weights that would be saved, at the plan's intervals and after the last step."""

    def __init__(
        self,
        denoiser: TrainableDenoiser,
        losses: LossMaker,
        watch: DriftWatch | None,
        held_out: ConceptData | None,
        gain: ConceptGain | None,
        plan: TrainPlan,
        setting: TrainSetting,
    ) -> None:
        self._denoiser, self._losses, self._watch, self._held_out = denoiser, losses, watch, held_out
        self._gain, self._plan, self._setting = gain, plan, setting

    def are_due(self, step: int) -> bool:
        """Return whether anything is to be measured after this step."""
        every = (self._plan.drift_every, self._plan.sample_every)
        return any(self._is_turn(steps, step) for steps in every) or self._weighs(step)

    def _weighs(self, step: int) -> bool:
        """Return whether the concept's gain is measured after this step, which the weight of `dc` follows."""
        return self._gain is not None and step >= self._plan.learning_steps and is_turn(step, self._plan.steps)

    def _is_turn(self, every: int, step: int) -> bool:
        return every > 0 and (step % every == 0 or step == self._plan.steps)

    def record(self, state: TrainState, found: StepLosses) -> StepRecord:
        """Return the record of the step that was just taken, with measurements where they are due."""
        weights, drift, validation = dict(state.weights), None, None
        if self._watch is not None and self._is_turn(self._plan.drift_every, state.step):
            with state.averaged():
                drift = state.drift = self._watch.measure()
                validation = self._validation()
            state.require_finite(drift, "drift")
            if self._plan.drift_budget:
                state.weights["dc"] = followed(state.weights["dc"], drift, self._plan.drift_budget)
        gain = self._balance(state) if self._weighs(state.step) else None
        if self._is_turn(self._plan.sample_every, state.step):
            with state.averaged():
                write_samples(self._denoiser, self._plan, self._setting, state.step)
        return StepRecord(state.step, found.concept, found.terms, weights, found.rate, drift, validation, gain)

    def _balance(self, state: TrainState) -> float:
        """Move the weight of `dc` by what the concept gained; return that."""
        assert self._gain is not None
        with state.averaged():
            gain = self._gain.measure()
        state.require_finite(gain, "gain")
        state.best_gain = max(state.best_gain, gain)
        state.weights["dc"] = turned(state.weights["dc"], gain, state.best_gain, state.drift)
        return gain

    def _validation(self) -> float | None:
        if self._held_out is None:
            return None
        batches = [rows for number in range(_VALIDATION_DRAWS) for rows in self._held_out.sweep(number)]
        errors = sum(len(rows) * self._losses.validation_loss(rows) for rows in batches)
        return errors / sum(map(len, batches))
