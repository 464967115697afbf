"""Training of the demo base by several processes: the same steps as by one, and none lost to an interrupt."""

from pathlib import Path

import pytest
import torch
from demo_base.stages.stage import Run, Stage, run_stage, step_generators
from demo_base.stages.workers import PARTS, Workers, run_workers
from line_training import STEPS, train_line


def trained(work: Path) -> torch.Tensor:
    return torch.cat([value.flatten() for value in torch.load(work / "line.out").values()])


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path):
    threads = torch.get_num_threads()
    for count in (1, PARTS):
        run_workers(count, tmp_path / str(count), train_line, tmp_path / str(count), 1.0)
    torch.set_num_threads(threads)
    assert torch.allclose(trained(tmp_path / "1"), trained(tmp_path / str(PARTS)), atol=1e-6)
    logs = [(tmp_path / str(count) / "line.csv").read_text().splitlines() for count in (1, PARTS)]
    losses = [[line.split(",")[:2] for line in log] for log in logs]
    assert losses[0] == losses[1]
    assert len(logs[0]) == 1 + STEPS // 2


def test_a_resumed_stage_ends_like_one_in_one_go(tmp_path):
    class Killed(Exception):
        pass

    def train(work: Path, killed_at: int | None) -> torch.Tensor:
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 1)

        def loss_at(step: int, part: int) -> torch.Tensor:
            if step == killed_at:
                raise Killed
            _, generator = step_generators(8, step, part)
            return (model(torch.randn(5, 3, generator=generator)) - 1).square().mean()

        run_stage(Stage("line", STEPS, 0.1, save_every=2), model, loss_at, Run(work, work, 1.0, Workers()))
        return model.weight.detach().clone()

    with pytest.raises(Killed):
        train(tmp_path / "killed", 5)
    assert torch.equal(train(tmp_path / "killed", None), train(tmp_path / "whole", None))


def test_a_share_trains_that_many_steps(tmp_path):
    train_line(Workers(), tmp_path, 0.5)
    assert len((tmp_path / "line.csv").read_text().splitlines()) == 1 + 2  # the second step and the last, the third
