"""Activations of a step: fake tensors allocate what real ones do, and a training what is foretold."""

import contextlib

import pytest
import torch
from owf.core.demo import DEMO_BASE
from owf.core.model.base import BaseChoice, load_base
from owf.core.model.blueprint import blueprint
from owf.core.train.cost import trained_bytes
from owf.core.train.forecast.peak_memory import PeakMemory
from owf.core.train.forecast.step import StepMemory, fake, side_of_rows
from owf.core.train.loop.optimizer import make_optimizer
from owf.core.train.loop.step import Step
from owf.core.train.plan import TrainPlan
from small_training import run, small_plan

DEMO = BaseChoice(str(DEMO_BASE), "folder")
METHODS = [
    {"targets": "transformer"},
    {"algorithm": "dora"},
    {"algorithm": "lokr"},
    {"train_text_encoder": True},
    {"method": "custom_diffusion"},
]


def plan(**options):
    return TrainPlan(**({"class_word": "bag", "rank": 4} | options))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("options", METHODS, ids=lambda options: "-".join(map(str, options.values())))
def test_fake_tensors_allocate_what_real_ones_do(options, dtype):
    steps = [StepMemory(blueprint(DEMO), plan(**options), dtype, mode) for mode in (fake(), contextlib.nullcontext())]
    for checkpointing in (False, True):
        counted, real = (step.peak(2, checkpointing) for step in steps)
        assert counted == real > 0
    assert steps[0].trained == steps[1].trained > 0
    assert steps[0].row(True) < steps[0].row(False)


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_training_allocates_what_is_foretold(tmp_path, monkeypatch, checkpointing):
    peaks, gradients = [], Step._gradients

    def counted(self, state):
        with PeakMemory() as memory:
            found = gradients(self, state)
        peaks.append(memory.peak)
        return found

    monkeypatch.setattr(Step, "_gradients", counted)  # what the optimizer then does needs no activations any more
    step = StepMemory(blueprint(DEMO), plan(resolution=64, preserve=()), torch.float32)
    for batch in (1, 4):
        options = {"batch": batch, "steps": 1, "preserve": (), "rank": 4, "checkpointing": checkpointing}
        base = load_base(DEMO, torch.device("cpu"), torch.float32, offline=True)
        run(tmp_path / str(batch), small_plan(**options), base)
        # Latents, noise and losses, which differ, are as small as pictures of 64 pixels.
        assert peaks[-1] == pytest.approx(step.peak(batch, checkpointing), rel=0.01)


def test_rows_are_as_large_as_the_pictures_or_what_the_base_draws():
    base = blueprint(DEMO)
    assert side_of_rows(base, plan()) == side_of_rows(base, plan(resolution=64)) == 96
    assert side_of_rows(base, plan(resolution=64, preserve=())) == 64
    small, usual, large = (
        StepMemory(blueprint(DEMO), plan(resolution=side, preserve=()), torch.float32).row(False)
        for side in (48, 0, 192)
    )
    # A quarter and four times the pixels; prompts and timesteps know no side, and attention grows faster.
    assert usual / 4 < small < usual / 2 and large > 3.5 * usual


@pytest.mark.parametrize("optimizer", ["adamw", "prodigy", "adamw8bit"])
def test_bytes_of_a_trained_number_are_those_that_the_optimizer_keeps(optimizer):
    package = {"prodigy": "prodigyopt", "adamw8bit": "bitsandbytes"}.get(optimizer)
    if package:
        pytest.importorskip(package)
    weights = [torch.nn.Parameter(torch.ones(64, 256)) for _ in range(3)]
    made = make_optimizer(weights, plan(optimizer=optimizer))
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    made.step()
    kept = sum(
        value.untyped_storage().nbytes()
        for state in made.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor) and value.numel() > 1000  # neither counters nor tables of 256 numbers
    )
    count = sum(weight.numel() for weight in weights)
    assert trained_bytes(plan(optimizer=optimizer)) * count == 2 * 4 * count + kept
    assert trained_bytes(plan(optimizer=optimizer, ema=0.9)) == trained_bytes(plan(optimizer=optimizer)) + 4
