"""One resumable training stage of the demo base: loop, averaged weights, checkpoint, log."""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn


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
    save_every: int = 200
    """Steps between checkpoints; at most this many are lost to an interrupt."""


def step_generators(seed: int, step: int) -> tuple[np.random.Generator, torch.Generator]:
    """Return the NumPy and torch generators of (seed, step) alone, so that a resume repeats them."""
    entropy = np.random.SeedSequence([seed, step])
    torch_seed = int(entropy.generate_state(1, np.uint64)[0] >> 1)
    return np.random.default_rng(entropy), torch.Generator().manual_seed(torch_seed)


def run_stage(stage: Stage, model: nn.Module, loss_at: Callable[[int], torch.Tensor], work: Path, logs: Path) -> None:
    """Train the model in place by `loss_at(step)` and leave its averaged weights in it.

    Continues from `work/<name>.pt` where there is one; appends (step, loss, seconds) to `logs/<name>.csv`.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=stage.peak_rate, betas=(0.9, 0.99), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, stage.peak_rate, total_steps=stage.steps + 1, pct_start=0.08
    )
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    checkpoint = work / f"{stage.name}.pt"
    state = _State(model, optimizer, schedule, average)
    first = state.load(checkpoint) if checkpoint.exists() else 0
    log = _Log(logs / f"{stage.name}.csv", first)
    for step in range(first, stage.steps):
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        _average(average, model, min(stage.averaging, (step + 1) / (step + 10)))
        log.add(step + 1, float(loss.detach()))
        if (step + 1) % stage.save_every == 0 or step + 1 == stage.steps:
            state.save(checkpoint, step + 1)
            log.write()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(average[name])


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
