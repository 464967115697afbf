"""The training loop: step, measure, tell, and keep what continues to the same bytes."""

from ..cost import rows_until
from ..plan import TrainPlan
from ..records import TrainSetting
from .checkpoint import Checkpoint
from .measure import Measurements
from .state import TrainState
from .step import Step


def run_steps(
    state: TrainState,
    step: Step,
    measurements: Measurements,
    checkpoint: Checkpoint,
    plan: TrainPlan,
    setting: TrainSetting,
) -> bool:
    """Train to the end, or until the setting says stop; return whether it is the end.

    Whatever happens between two steps, the checkpoint continues to the same bytes. Raises InvalidError where the
    numbers left the finite range.
    """
    setting.progress.skip(rows_until(plan, state.step))
    setting.progress.stage("Training")
    while state.unmeasured is not None or state.step < plan.steps:
        if state.unmeasured is None:
            state.unmeasured = step.take(state)
        if measurements.are_due(state.step) and setting.stop():
            checkpoint.save(state)  # measuring may take minutes, which a stop does not wait for
            return False
        setting.watch(measurements.record(state, state.unmeasured))
        state.unmeasured = None
        stopping = setting.stop() and state.step < plan.steps
        if stopping or checkpoint.is_due():
            checkpoint.save(state)
        if stopping:
            return False
    checkpoint.save(state)
    return True
