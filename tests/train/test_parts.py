"""The budget, the optimizer's course, the watch over drift, and the metrics of the bench."""

import math

import numpy as np
import pytest
import torch
from owf.core.errors import Setting, UsageError
from owf.core.metrics.concept import similarities, summarise_concept
from owf.core.metrics.diversity import spread_within, summarise_diversity
from owf.core.train.budget import AIM, DriftBudget
from owf.core.train.checkpoint import load_checkpoint, save_checkpoint
from owf.core.train.data.rows import Draw
from owf.core.train.optimizer import make_optimizer, rate_factor
from small_training import small_plan


def test_the_weight_settles_where_drift_meets_its_aim():
    # A model whose drift falls with the square root of the weight: the multiplier that meets the aim is known.
    budget = DriftBudget(budget=0.01, weight=1.0)
    drift = lambda: 0.05 / math.sqrt(budget.weight)  # noqa: E731
    for _ in range(200):
        budget.update(drift())
    assert drift() == pytest.approx(AIM * 0.01, rel=0.05)
    assert drift() <= 0.01


def test_a_budget_that_is_never_reached_lets_the_weight_fall_to_its_end():
    budget = DriftBudget(budget=1.0, weight=1.0)
    for _ in range(1000):
        budget.update(1e-6)
    assert budget.weight == pytest.approx(0.01)


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


def test_spread_is_the_mean_distance_of_pairs():
    features = np.array([[[0.0, 0], [3, 4], [0, 0]]])  # distances 5, 0, 5
    assert spread_within(features) == pytest.approx([10 / 3])


def test_diversity_of_shrunk_features_is_the_factor():
    base = np.random.default_rng(0).normal(size=(6, 4, 8))
    ratio = summarise_diversity(base, 0.25 * base).estimates["diversity_ratio"]
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.25, 0.25, 0.25))


def test_similarity_is_the_cosine_whatever_the_length():
    references = np.array([[1.0, 0.0], [0.0, 2.0]])
    generated = np.array([[5.0, 0.0], [3.0, 3.0]])
    assert similarities(generated, references) == pytest.approx([0.5, math.sqrt(0.5)])
    assert summarise_concept(generated, references).estimates["similarity"].value == pytest.approx(
        (0.5 + math.sqrt(0.5)) / 2
    )
