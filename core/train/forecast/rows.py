"""Rows of a training before anything is loaded, by what they are for."""

from dataclasses import dataclass

from ... import families
from ...audit.learned.evidence import drawn_rows as learned_rows
from ...plan.concept import Concept
from ..base_check import check_cost
from ..cost import BACKWARD, drawings, drawn_rows, rows_until, teacher_rows
from ..data.bank import Bank
from ..loop.balance import ROWS as GAIN_ROWS
from ..loop.balance import is_turn
from ..loop.drift import TIMESTEPS
from ..plan import TrainPlan


@dataclass(frozen=True)
class TrainRows:
    """Rows of the denoiser in one training; only the student's have gradients."""

    student: int
    """Of what is trained."""
    teacher: int
    """Of the base, for what is to be preserved."""
    checking: int
    """Of the base, before: is it read right? Asked once for each base."""
    drawing: int
    """Of the base, before: `pictures`, which are kept for the next training."""
    pictures: int
    """How many pictures it draws."""
    watching: int
    """Of what is trained, between steps: drift on held-out prompts, and what the concept gained."""
    learned: int
    """Of both, after: was the concept learned? 0 where that is not asked."""

    @property
    def without_gradients(self) -> int:
        """Return all but the student's."""
        return self.teacher + self.checking + self.drawing + self.watching + self.learned

    def student_cost(self, checkpointing: bool) -> int:
        """Return what the student's cost in terms of rows without gradients."""
        return (BACKWARD + checkpointing) * self.student  # each goes forward once more where it is computed anew


def training_rows(
    plan: TrainPlan, bank: Bank, family: str, usual: families.Drawing = families.USUAL, *, asks_learned: bool = True
) -> TrainRows:
    """Return the rows of a training on a base of a family that people draw with in a way, nothing cached."""
    fixed = plan.teacher_cache if "dc" in plan.preserve else 0
    learned = learned_rows(Concept(plan.trigger, plan.class_word), family, bank.form, usual) if asks_learned else 0
    return TrainRows(
        student=rows_until(plan, plan.steps),
        teacher=fixed + sum(teacher_rows(plan, step) for step in range(plan.steps)),
        checking=check_cost(bank),
        drawing=drawn_rows(plan, bank, usual),
        pictures=drawings(plan, bank),
        watching=_watching_rows(plan, bank),
        learned=learned,
    )


def _watching_rows(plan: TrainPlan, bank: Bank) -> int:
    """Return the rows of what is measured between steps, and of the base, with which it is compared."""
    rows = 0
    if plan.drift_every:
        rows += (1 + -(-plan.steps // plan.drift_every)) * len(bank.watched) * TIMESTEPS
    if plan.sets_weight:
        turns = sum(is_turn(step, plan.steps) for step in range(max(1, plan.learning_steps), plan.steps + 1))
        rows += (1 + turns) * GAIN_ROWS
    return rows
