"""Optimizers and the course of their learning rate."""

import math
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from typing import Any

from torch import nn, optim

from ...errors import Setting, UsageError
from ..plan import TrainPlan


def make_optimizer(parameters: Iterable[nn.Parameter], plan: TrainPlan) -> optim.Optimizer:
    """Return the plan's optimizer; raise UsageError that names the package it lacks."""
    parameters = list(parameters)
    options: dict[str, Any] = {"lr": plan.rate, "weight_decay": plan.weight_decay}
    if plan.optimizer == "adamw":
        return optim.AdamW(parameters, **options, foreach=True)
    try:
        if plan.optimizer == "prodigy":
            from prodigyopt import Prodigy  # pyright: ignore[reportMissingImports]

            with redirect_stdout(sys.stderr):  # it prints, where hosts read our progress
                return Prodigy(parameters, **options, use_bias_correction=True, safeguard_warmup=plan.warmup > 0)
        from bitsandbytes.optim.adamw import AdamW8bit  # pyright: ignore[reportMissingImports]

        return AdamW8bit(parameters, **options)
    except ImportError as error:
        raise UsageError(
            f"The optimizer {plan.optimizer} needs another package.", Setting("install", f"'owf[{plan.optimizer}]'")
        ) from error


def rate_factor(plan: TrainPlan, step: int) -> float:
    """Return the factor of the learning rate in optimizer step `step`, counted from 0."""
    if step < plan.warmup:
        return (step + 1) / plan.warmup
    if plan.rate_schedule == "constant":
        return 1.0
    done = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return 1 - done if plan.rate_schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))


def set_rate(optimizer: optim.Optimizer, plan: TrainPlan, step: int) -> float:
    """Set the learning rate for a step and return it."""
    rate = plan.rate * rate_factor(plan, step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate
