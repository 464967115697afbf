"""One resumable training stage of the demo base: loop, averaged weights, checkpoint, log."""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .workers import PARTS, Workers


@dataclass(frozen=True)
class Run:
    """Where a training keeps what, how much of it is done, and by whom."""

    work: Path
    """Folder of checkpoints and latents."""
    logs: Path
    """Folder of the stages' losses."""
    share: float
    """Share of each stage's steps that is trained: 1, or less to try the command."""
    workers: Workers
    """This process and its companions."""


@dataclass(frozen=True)
class Stage:
    """What a stage is called and how long and how fast it learns."""

    name: str
    """Names the checkpoint and the log."""
    steps: int
    """Optimiser steps in all."""
    peak_rate: float
    """Learning rate at the top of the one-cycle schedule."""
    averaging: float = 0.998
    """Decay of the exponential moving average of the weights, which is what the stage returns."""
    save_every: int = 100
    """Steps between checkpoints; at most this many are lost to an interrupt."""


def step_generators(seed: int, *place: int) -> tuple[np.random.Generator, torch.Generator]:
    """Return the NumPy and torch generators of a seed and a place alone (a step and part), so that a resume repeats
    them."""
    entropy = np.random.SeedSequence([seed, *place])
    torch_seed = int(entropy.generate_state(1, np.uint64)[0] >> 1)
    return np.random.default_rng(entropy), torch.Generator().manual_seed(torch_seed)


def run_stage(stage: Stage, model: nn.Module, loss_at: Callable[[int, int], torch.Tensor], run: Run) -> None:
    """Train the model in place by the mean of `loss_at(step, part)` and leave its averaged weights in it.

    Continues from `work/<name>.pt` where there is one; appends (step, loss, seconds) to `logs/<name>.csv`.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    steps = max(1, round(stage.steps * run.share))
    optimizer = torch.optim.AdamW(parameters, lr=stage.peak_rate, betas=(0.9, 0.99), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, stage.peak_rate, total_steps=steps + 1, pct_start=0.08)
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    checkpoint = run.work / f"{stage.name}.pt"
    state = _State(model, optimizer, schedule, average)
    first = state.load(checkpoint) if checkpoint.exists() else 0
    run.workers.wait()
    log = _Log(run.logs / f"{stage.name}.csv", first) if run.workers.first else None
    for step in range(first, steps):
        loss = _descend(parameters, loss_at, step, run.workers)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        _average(average, model, min(stage.averaging, (step + 1) / (step + 10)))
        if log:
            log.add(step + 1, loss)
            if (step + 1) % stage.save_every == 0 or step + 1 == steps:
                state.save(checkpoint, step + 1)
                log.write()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(average[name])


def _descend(
    parameters: list[nn.Parameter], loss_at: Callable[[int, int], torch.Tensor], step: int, workers: Workers
) -> float:
    """Leave the gradient of the step's mean loss over all parts in the parameters, and return that loss."""
    total = torch.zeros(1)
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    for part in workers.mine(PARTS):
        loss = loss_at(step, part) / PARTS
        loss.backward()
        total += loss.detach()
    workers.add_up([total, *(p.grad for p in parameters if p.grad is not None)])
    return float(total)


@torch.no_grad()
def _average(average: dict[str, torch.Tensor], model: nn.Module, decay: float) -> None:
    for name, parameter in model.named_parameters():
        average[name].lerp_(parameter, 1 - decay)


class _State:
    """Everything a resume needs, saved in one file that is replaced whole."""

    def __init__(self, model, optimizer, schedule, average) -> None:
        self.parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
        self.average = average

    def save(self, path: Path, step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {name: part.state_dict() for name, part in self.parts.items()}
        partial = path.with_suffix(".partial")
        torch.save({**content, "average": self.average, "step": step}, partial)
        partial.replace(path)

    def load(self, path: Path) -> int:
        content = torch.load(path, weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(content[name])
        for name, value in content["average"].items():
            self.average[name].copy_(value)
        return content["step"]


class _Log:
    """Mean loss since the last written line, as CSV and on the terminal."""

    def __init__(self, path: Path, first_step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.losses, self.step, self.start = path, [], first_step, time.time()
        if first_step == 0:
            path.write_text("step,loss,seconds_per_step\n")

    def add(self, step: int, loss: float) -> None:
        self.losses.append(loss)
        self.step = step

    def write(self) -> None:
        seconds = (time.time() - self.start) / len(self.losses)
        row = [self.step, f"{np.mean(self.losses):.5f}", f"{seconds:.3f}"]
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)
        print(self.path.stem, *row, flush=True)
        self.losses, self.start = [], time.time()
