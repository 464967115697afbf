"""Everything that a training changes from step to step: what a checkpoint keeps, and nothing else."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

import torch

from ...errors import InvalidError, Setting
from ...model.diffusion.denoiser import TrainableDenoiser
from ..methods.method import Method
from ..plan import TrainPlan
from .balance import START
from .optimizer import make_optimizer


@dataclass(frozen=True)
class StepLosses:
    """What an optimizer step found."""

    concept: float
    """Mean denoising error of the concept's rows."""
    terms: Mapping[str, float]
    """Unweighted loss of each preservation term that was asked."""
    rate: float
    """Learning rate."""


class TrainState:
    """Trained weights with their optimizer, and how far they are."""

    def __init__(self, denoiser: TrainableDenoiser, method: Method, plan: TrainPlan, precision: torch.dtype) -> None:
        self.step = 0
        """Steps done."""
        self.parameters = list(method.parameters.values())
        self.average = [p.detach().clone() for p in self.parameters] if plan.ema else []
        """Moving average of the parameters, if the plan wants one."""
        self.optimizer = make_optimizer(self.parameters, plan)
        scaled = denoiser.device.type == "cuda" and precision == torch.float16
        self.scaler = torch.amp.GradScaler(denoiser.device.type, enabled=scaled)
        self.weights = {name: plan.weight(name) for name in plan.preserve}
        """Weight of each preservation term; a drift budget or what is learned moves that of `dc`."""
        if plan.sets_weight:
            self.weights["dc"] = START
        self.best_gain = 0.0
        """Largest gain of the concept so far, where one is measured."""
        self.drift: float | None = None
        """Denoiser drift, where and when it was measured last."""
        self.unmeasured: StepLosses | None = None
        """The last step, as long as what is due after it has not been measured."""
        self._precision = precision

    def require_finite(self, value: float, name: str) -> None:
        """Raise InvalidError for a number that training must not go on with."""
        if not math.isfinite(value):
            said, rate = f"The {name} is {value} around step {self.step + 1}; lower the learning rate", Setting("rate")
            if self._precision == torch.float32:
                raise InvalidError(f"{said}.", rate)
            raise InvalidError(f"{said}, or use the type float32.", rate, Setting("dtype", "float32"))

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the average towards the parameters."""
        # Early averages forget their start faster: a decay of 0.999 would otherwise keep the untrained weights.
        decay = min(decay, self.step / (self.step + 10))
        for average, parameter in zip(self.average, self.parameters, strict=False):
            average.lerp_(parameter, 1 - decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Return a context in which the weights are those that will be saved: the moving average, if there is one."""
        own = [p.data for p in self.parameters]
        try:
            for parameter, average in zip(self.parameters, self.average, strict=False):
                parameter.data = average
            yield
        finally:
            for parameter, data in zip(self.parameters, own, strict=True):
                parameter.data = data

    def content(self) -> dict[str, Any]:
        """Return all of it as tensors and plain values; raise InvalidError where a weight is not finite."""
        self.require_finite(float(sum(p.detach().double().abs().sum() for p in self.parameters)), "weight")
        return {
            "step": self.step,
            "drift": self.drift,
            "unmeasured": None if self.unmeasured is None else astuple(self.unmeasured),
            "parameters": [p.detach() for p in self.parameters],
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "weights": self.weights,
            "best_gain": self.best_gain,
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Take over what `content` returned."""
        self.step, self.drift, self.weights = content["step"], content["drift"], content["weights"]
        self.best_gain = content.get("best_gain", 0.0)  # checkpoints of earlier releases measured none
        self.unmeasured = None if content["unmeasured"] is None else StepLosses(*content["unmeasured"])
        with torch.no_grad():
            for parameter, value in zip(self.parameters, content["parameters"], strict=True):
                parameter.copy_(value)
            for average, value in zip(self.average, content["average"], strict=True):
                average.copy_(value)
        self.optimizer.load_state_dict(content["optimizer"])
        self.scaler.load_state_dict(content["scaler"])
