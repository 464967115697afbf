"""A training small enough for tests of how the demo base is trained, where child processes can import it."""

from pathlib import Path

import torch
from demo_base.stages.stage import Run, Stage, run_stage, step_generators
from demo_base.stages.workers import Workers

STEPS = 6


def train_line(workers: Workers, work: Path, share: float) -> None:
    """Fit a line to noise drawn from step and part, and write it down."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)

    def loss_at(step: int, part: int) -> torch.Tensor:
        _, generator = step_generators(8, step, part)
        rows = torch.randn(5, 3, generator=generator)
        return (model(rows) - rows.sum(dim=1, keepdim=True)).square().mean()

    run_stage(Stage("line", STEPS, 0.1, save_every=2), model, loss_at, Run(work, work, share, workers))
    if workers.first:
        torch.save(model.state_dict(), work / "line.out")
