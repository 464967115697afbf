"""The budget, the optimizer's course, and the watch over drift."""

import math

import pytest
import torch
from owf.core.errors import Setting, UsageError
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
    times = Draw(0, 0).timesteps(2000, 4, "x")
    # 500 of each expected, standard deviation 19.4: five of them.
    assert all(abs(int((times == k).sum()) - 500) < 97 for k in range(4))


def test_a_damaged_checkpoint_says_so(tmp_path):
    path = tmp_path / "a.checkpoint"
    save_checkpoint(path, {"fingerprint": "x", "step": 1})
    assert load_checkpoint(path, "x") == {"fingerprint": "x", "step": 1}
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UsageError, match="cannot be read"):
        load_checkpoint(path, "x")
    assert load_checkpoint(tmp_path / "none", "x") is None
