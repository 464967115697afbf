"""What a training costs: UNet rows with gradients, rows of the base's predictions, pictures that the base draws."""

from .. import families
from ..model.diffusion.drawings import sampling_of
from .base_check import check_cost
from .data.bank import Bank
from .plan import TrainPlan

BACKWARD = 3
"""A row with gradients costs about three without."""
_STATE = {"adamw": 2 * 4, "adamw8bit": 2, "prodigy": 4 * 4}
"""Optimizer -> bytes that it keeps of a trained number: two moments, in float32 or 8 bits; Prodigy also where it began,
and a sum of gradients."""


def trained_bytes(plan: TrainPlan) -> int:
    """Return the bytes of a trained number: itself, its gradient, what the optimizer keeps, and its average."""
    return 4 + 4 + _STATE[plan.optimizer] + (4 if plan.ema else 0)


def rows_at_once(plan: TrainPlan) -> tuple[int, int]:
    """Return the rows of student and teacher in one UNet batch in which all terms have their turn."""
    return step_rows(plan, 0) // plan.accumulate, teacher_rows(plan, 0) // plan.accumulate


def step_rows(plan: TrainPlan, step: int) -> int:
    """Return the student's rows in one optimizer step: the concept's and, where it is their turn, the terms'."""
    asked = sum(term.student_rows(plan) for term in plan.terms) if plan.is_preserving(step) else 0
    return plan.accumulate * (plan.batch + asked)


def teacher_rows(plan: TrainPlan, step: int) -> int:
    """Return the rows that the base predicts in one optimizer step."""
    return plan.accumulate * sum(term.teacher_rows(plan) for term in plan.terms if plan.is_preserving(step))


def rows_until(plan: TrainPlan, step: int) -> int:
    """Return the student's rows of all steps before `step`."""
    return sum(step_rows(plan, number) for number in range(step))


def drawings(plan: TrainPlan, bank: Bank) -> int:
    """Return how many pictures the base draws before the first step if none is cached."""
    watched = len(bank.watched) if plan.drift_every else 0
    return watched + sum(term.drawings(plan, bank) for term in plan.terms)


def drawn_rows(plan: TrainPlan, bank: Bank, usual: families.Drawing = families.USUAL) -> int:
    """Return the rows of these drawings, by a base that people draw with in a way."""
    return drawings(plan, bank) * sampling_of(usual).rows


def all_rows(plan: TrainPlan, bank: Bank, usual: families.Drawing = families.USUAL) -> int:
    """Return the rows that progress counts: checking the base, drawing if nothing is cached, and the student's."""
    return check_cost(bank) + drawn_rows(plan, bank, usual) + rows_until(plan, plan.steps)
