"""The budget, the optimizer's course, and the watch over drift."""

import math

import pytest
import torch
from owf.core.errors import Setting, UsageError
from owf.core.model.backends.flow import empirical
from owf.core.model.diffusion.schedule import rectified_flow, shifted, variance_preserving
from owf.core.train.data.rows import Draw
from owf.core.train.loop.budget import AIM, followed
from owf.core.train.loop.checkpoint import load_checkpoint, save_checkpoint
from owf.core.train.loop.optimizer import make_optimizer, rate_factor
from small_training import small_plan


def test_the_weight_settles_where_drift_meets_its_aim():
    # A model whose drift falls with the square root of the weight: the multiplier that meets the aim is known.
    drift, weight = lambda weight: 0.05 / math.sqrt(weight), 1.0
    for _ in range(200):
        weight = followed(weight, drift(weight), budget=0.01)
    assert drift(weight) == pytest.approx(AIM * 0.01, rel=0.05)
    assert drift(weight) <= 0.01


def test_a_budget_that_is_never_reached_lets_the_weight_fall_to_its_end():
    weight = 1.0
    for _ in range(1000):
        weight = followed(weight, drift=1e-6, budget=1.0)
    assert weight == pytest.approx(0.01)


def test_rates_rise_over_the_warmup_and_fall_to_the_end():
    plan = small_plan(steps=10, warmup=2, rate_schedule="linear")
    assert [rate_factor(plan, i) for i in (0, 1, 2, 6)] == [0.5, 1.0, 1.0, 0.5]
    cosine = small_plan(steps=10, rate_schedule="cosine")
    assert rate_factor(cosine, 5) == pytest.approx(0.5)
    assert rate_factor(small_plan(steps=10), 9) == 1


@pytest.mark.parametrize("name", ["prodigy", "adamw8bit"])
def test_a_missing_optimizer_package_is_named(name, monkeypatch):
    monkeypatch.setitem(
        __import__("sys").modules, {"prodigy": "prodigyopt", "adamw8bit": "bitsandbytes.optim"}[name], None
    )
    with pytest.raises(UsageError, match=f"The optimizer {name}") as caught:
        make_optimizer([torch.nn.Parameter(torch.zeros(1))], small_plan(optimizer=name))
    assert caught.value.settings == (Setting("install", f"'owf[{name}]'"),)


def test_draws_depend_on_the_counter_alone_and_differ_between_counters():
    draws = [Draw(0, 0, 0), Draw(0, 1, 0), Draw(0, 0, 1), Draw(1, 0, 0)]
    noises = [d.noise(2, (3,), "x") for d in draws]
    assert torch.equal(noises[0], Draw(0, 0, 0).noise(2, (3,), "x"))
    assert all(not torch.equal(noises[0], other) for other in noises[1:])
    assert not torch.equal(noises[0], draws[0].noise(2, (3,), "y"))
    schedule = variance_preserving(torch.tensor([0.9, 0.6, 0.3, 0.1]), "epsilon")
    times = Draw(0, 0).timesteps(2000, schedule, "x")
    # 500 of each expected, standard deviation 19.4: five of them.
    assert all(abs(int((times == k).sum()) - 500) < 97 for k in range(4))


LOGIT = [(0.1, -1.2815515655), (0.25, -0.6744897502), (0.5, 0.0), (0.75, 0.6744897502), (0.9, 1.2815515655)]
"""Shares of a standard normal distribution that lie below, and where."""


@pytest.mark.parametrize("log_shift", [0.0, math.log(3)])
def test_timesteps_of_flows_are_logit_normal_before_their_shift(log_shift):
    """The odds of the noise are those of a standard normal logit, times the shift."""
    schedule = rectified_flow(1000, log_shift)
    sigma = schedule.sigma[Draw(0, 0).timesteps(20_000, schedule, "x")]
    for share, logit in LOGIT:
        below = (sigma <= 1 / (1 + math.exp(-(logit + log_shift)))).double().mean()
        assert float(below) == pytest.approx(share, abs=5 * (0.25 / 20_000) ** 0.5 + 1e-3)  # deviations; a timestep


def test_the_shift_of_flux2_is_flux1s_in_training():
    """At 4096 tokens, e^1.15; for a sampler of 50 steps it is more than twice as much."""
    shift = empirical(4096)
    schedule = rectified_flow(10_000, shift.log, shift.growth)
    for share in (0.1, 0.5, 0.9):
        (place,) = schedule.timesteps_at(torch.tensor([share], dtype=torch.float64))
        # A timestep is at most e^2.03 / 10,000 wide.
        assert float(schedule.sigma[place]) == pytest.approx(shifted(share, 1.15), abs=1e-3)
    assert int(schedule.timesteps_at(torch.tensor([1.0], dtype=torch.float64))) == 9_999


def test_a_damaged_checkpoint_says_so(tmp_path):
    path = tmp_path / "a.checkpoint"
    save_checkpoint(path, {"fingerprint": "x", "step": 1})
    assert load_checkpoint(path, "x") == {"fingerprint": "x", "step": 1}
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UsageError, match="cannot be read"):
        load_checkpoint(path, "x")
    assert load_checkpoint(tmp_path / "none", "x") is None
