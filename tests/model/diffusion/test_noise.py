"""Noise is a pure function of its counters."""

import numpy as np
from owf.core.model.diffusion.noise import gaussian


def test_same_counters_same_bytes():
    assert gaussian((4, 8, 8), 1, "a", 5, 2).numpy().tobytes() == gaussian((4, 8, 8), 1, "a", 5, 2).numpy().tobytes()


def test_each_counter_changes_the_noise():
    keys = [(0, "a", 0, 0), (1, "a", 0, 0), (0, "b", 0, 0), (0, "a", 1, 0), (0, "a", 0, 1)]
    draws = [gaussian((64,), *key) for key in keys]
    assert len({d.numpy().tobytes() for d in draws}) == 5


def test_is_standard_normal_and_uncorrelated_across_timesteps():
    a = np.concatenate([gaussian((1000,), 3, "x", t).numpy() for t in range(100)])
    # 1e5 draws: standard errors 0.0032 (mean), 0.0022 (deviation), 0.0032 (correlation); five of each
    assert abs(a.mean()) < 0.016
    assert abs(a.std() - 1) < 0.011
    assert abs(np.corrcoef(a[:-1000], a[1000:])[0, 1]) < 0.016
