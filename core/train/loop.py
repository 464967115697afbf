"""The training loop: steps, checkpoints, measurements on held-out data, and who is told."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..errors import InvalidError, Setting
from ..model.denoiser import TrainableDenoiser
from ..plan.train_plan import TrainPlan, step_rows
from .budget import DriftBudget
from .checkpoint import load_checkpoint, save_checkpoint
from .data.concept import ConceptData
from .data.rows import Draw
from .drift import DriftWatch
from .loss import LossMaker
from .methods.method import Method
from .optimizer import make_optimizer, set_rate
from .preserve.term import Term
from .records import StepRecord, TrainSetting
from .samples import write_samples

_VALIDATION_DRAWS = 4
"""Timesteps at which each held-out picture is asked."""

_SAVING = 0.02
"""Share of the time that saving may take: checkpoints of large trainings are a gigabyte."""

_Step = tuple[float, dict[str, float], float]
"""Concept loss, loss of each term, and learning rate of a step that was made."""


class Loop:
    """One training in progress."""

    def __init__(
        self,
        denoiser: TrainableDenoiser,
        method: Method,
        data: ConceptData,
        held_out: ConceptData | None,
        terms: dict[str, Term],
        watch: DriftWatch | None,
        plan: TrainPlan,
        setting: TrainSetting,
        fingerprint: str,
    ) -> None:
        self._denoiser, self._method, self._data, self._held_out = denoiser, method, data, held_out
        self._watch, self._plan, self._setting, self._fingerprint = watch, plan, setting, fingerprint
        self._losses = LossMaker(denoiser, method, terms, plan.min_snr, setting.precision)
        self._weights = {name: plan.weight(name) for name in terms}
        self._budget = DriftBudget(plan.drift_budget, plan.dc_weight) if plan.drift_budget else None
        self._parameters = list(method.parameters.values())
        self._optimizer = make_optimizer(self._parameters, plan)
        scaled = denoiser.device.type == "cuda" and setting.precision == torch.float16
        self._scaler = torch.amp.GradScaler(denoiser.device.type, enabled=scaled)
        self._average = [p.detach().clone() for p in self._parameters] if plan.ema else []
        self._checkpoint = setting.folder / f"{setting.name}.checkpoint"
        self.step, self.drift = 0, None
        self._unmeasured: _Step | None = None
        if setting.resume:
            self._load()

    def run(self) -> bool:
        """Train to the end, or until the setting says stop; return whether it is the end.

        Whatever happens between two steps, the checkpoint continues to the same bytes. Raises InvalidError where
        the numbers left the finite range.
        """
        plan, setting = self._plan, self._setting
        setting.progress.skip(sum(step_rows(plan, step) for step in range(self.step)))
        setting.progress.stage("Training")
        due = time.monotonic() + setting.save_every
        while self._unmeasured or self.step < plan.steps:
            self._unmeasured = self._unmeasured or self._one_step()
            if self._is_due(plan.drift_every, plan.sample_every) and setting.stop():
                self._save()  # measuring may take minutes, which a stop does not wait for
                return False
            setting.watch(self._measured(*self._unmeasured))
            self._unmeasured = None
            stopping = setting.stop() and self.step < plan.steps
            if stopping or time.monotonic() > due:
                due = self._save() + setting.save_every
            if stopping:
                return False
        self._save()
        return True

    def _is_due(self, *intervals: int) -> bool:
        """Return whether anything is to be done after this step that is done at such intervals, and after the last."""
        return any(every and (self.step % every == 0 or self.step == self._plan.steps) for every in intervals)

    def _one_step(self) -> "_Step":
        plan = self._plan
        rate = set_rate(self._optimizer, plan, self.step)
        loss, terms = self._gradients()
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._parameters, plan.clip or math.inf)
        if not self._scaler.is_enabled():  # which meets such gradients at times, and leaves their steps out
            self._require_finite(norm.item(), "gradient")
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad()
        self.step += 1
        self._update_average()
        return loss, terms, rate

    def _gradients(self) -> tuple[float, dict[str, float]]:
        """Accumulate the step's gradients; return the concept's mean loss and those of the terms."""
        plan, loss, terms = self._plan, 0.0, {}
        preserving = self.step % plan.preserve_every == 0
        for part in range(plan.accumulate):
            draw = Draw(plan.seed, self.step, part)
            losses = self._losses.losses(self._data.rows(draw), draw, preserving)
            total = losses.concept + sum(self._weights[name] * value for name, value in losses.terms.items())
            self._scaler.scale(total / plan.accumulate).backward()
            loss += losses.concept.item() / plan.accumulate
            for name, value in losses.terms.items():
                terms[name] = terms.get(name, 0.0) + value.item() / plan.accumulate
        self._setting.progress.advance(step_rows(plan, self.step))
        self._require_finite(loss + sum(self._weights[name] * value for name, value in terms.items()), "loss")
        return loss, terms

    def _require_finite(self, value: float, name: str) -> None:
        if not math.isfinite(value):
            said, rate = f"The {name} is {value} around step {self.step + 1}; lower the learning rate", Setting("rate")
            if self._setting.precision == torch.float32:
                raise InvalidError(f"{said}.", rate)
            raise InvalidError(f"{said}, or use the type float32.", rate, Setting("dtype", "float32"))

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early averages forget their start faster: a decay of 0.999 would otherwise keep the untrained weights.
        decay = min(self._plan.ema, self.step / (self.step + 10))
        for average, parameter in zip(self._average, self._parameters, strict=False):
            average.lerp_(parameter, 1 - decay)

    def _measured(self, loss: float, terms: dict[str, float], rate: float) -> StepRecord:
        """Return the record of the step that was just made, with measurements where they are due."""
        weights, drift, validation = dict(self._weights), None, None
        if self._watch is not None and self._is_due(self._plan.drift_every):
            with self.averaged():
                drift = self.drift = self._watch.measure()
                validation = self._validation()
            self._require_finite(drift, "drift")
            if self._budget is not None:
                self._budget.update(drift)
                self._weights["dc"] = self._budget.weight
        if self._is_due(self._plan.sample_every):
            with self.averaged():
                write_samples(self._denoiser, self._plan, self._setting, self.step)
        return StepRecord(self.step, loss, terms, weights, rate, drift, validation)

    def _validation(self) -> float | None:
        if self._held_out is None:
            return None
        batches = [rows for number in range(_VALIDATION_DRAWS) for rows in self._held_out.sweep(number)]
        errors = sum(len(rows) * self._losses.validation_loss(rows) for rows in batches)
        return errors / sum(map(len, batches))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Return a context in which the weights are those that will be saved: the moving average, if there is one."""
        own = [p.data for p in self._parameters]
        try:
            for parameter, average in zip(self._parameters, self._average, strict=False):
                parameter.data = average
            yield
        finally:
            for parameter, data in zip(self._parameters, own, strict=True):
                parameter.data = data

    def _save(self) -> float:
        """Write the checkpoint; return the earliest time for the next, so that saving takes a share of the time."""
        began = time.monotonic()
        self._require_finite(float(sum(p.detach().double().abs().sum() for p in self._parameters)), "weight")
        content: dict[str, Any] = {
            "fingerprint": self._fingerprint,
            "step": self.step,
            "drift": self.drift,
            "unmeasured": self._unmeasured,
            "parameters": [p.detach() for p in self._parameters],
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "weights": self._weights,
        }
        save_checkpoint(self._checkpoint, content)
        return time.monotonic() + (time.monotonic() - began) / _SAVING

    def _load(self) -> None:
        content = load_checkpoint(self._checkpoint, self._fingerprint)
        if content is None:
            return
        self.step, self.drift, self._weights = content["step"], content["drift"], content["weights"]
        self._unmeasured = content["unmeasured"]
        with torch.no_grad():
            for parameter, value in zip(self._parameters, content["parameters"], strict=True):
                parameter.copy_(value)
            for average, value in zip(self._average, content["average"], strict=True):
                average.copy_(value)
        self._optimizer.load_state_dict(content["optimizer"])
        self._scaler.load_state_dict(content["scaler"])
        if self._budget is not None:
            self._budget.weight = self._weights["dc"]
