"""denoiser_drift against its closed form."""

import numpy as np
import pytest
import torch
from gaussian_denoiser import GaussianDenoiser
from owf.core.metrics.denoiser_drift import DriftRows, squared_norms, summarise_drift
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.predictions import predictions
from owf.core.model.diffusion.schedule import spaced_timesteps

SHAPE = (4, 4, 4)


def drift_rows(base, tuned, count: int, timesteps: int) -> DriftRows:
    change, norm = [], []
    cond = base.encode_text(["0"]), tuned.encode_text(["0"])
    mean = base.means.weight[0].view(SHAPE)
    for i in range(count):
        x0 = mean + base.spread * gaussian(SHAPE, 0, f"x{i}").double()
        a, b = (
            predictions(d, x0, str(i), c, timesteps, 0, Batching(8)) for d, c in zip((base, tuned), cond, strict=True)
        )
        change.append(squared_norms(b - a))
        norm.append(squared_norms(a))
    return DriftRows(("all",) * count, np.stack(change), np.stack(norm), np.zeros((1, timesteps)))


def test_a_moved_mean_gives_the_closed_form():
    # prediction = sigma (x_t - a mu) / v with v = a^2 s^2 + sigma^2: moving mu by d changes it by sigma a d / v,
    # and its own mean square is sigma^2 D / v
    spread, move = 0.8, 0.3
    base = GaussianDenoiser(torch.zeros(1, *SHAPE), spread)
    tuned = GaussianDenoiser(torch.full((1, *SHAPE), move), spread)
    t = spaced_timesteps(10, 1000)
    a, sigma = base.schedule.signal[t].numpy(), base.schedule.sigma[t].numpy()
    v = a**2 * spread**2 + sigma**2
    expected = (sigma**2 * a**2 * move**2 / v**2).sum() / (sigma**2 / v).sum()
    found = summarise_drift(drift_rows(base, tuned, 60, 10)).estimates["drift"]
    assert found.low <= expected <= found.high
    assert found.value == pytest.approx(expected, rel=0.05)


def test_a_scaled_function_drifts_by_the_square_of_the_scale():
    base = np.random.default_rng(0).normal(size=(3, 5, *SHAPE))
    norm = np.stack([squared_norms(p) for p in base])
    change = np.stack([squared_norms(1.1 * p - p) for p in base])
    found = summarise_drift(DriftRows(("a", "b", "a"), change, norm, change[:1] * 0)).estimates["drift"]
    assert found.value == pytest.approx(0.01, rel=1e-9)
    assert found.floor == 0


def test_no_change_is_exactly_zero():
    base = GaussianDenoiser(torch.zeros(1, *SHAPE), 1.0)
    measured = summarise_drift(drift_rows(base, base, 4, 8))
    assert measured.estimates["drift"].value == 0
    assert [part.label for part in measured.breakdowns["timestep"]] == ["0-250", "250-500", "500-750", "750-1000"]


def test_does_not_depend_on_batch_size():
    denoiser = GaussianDenoiser(torch.zeros(1, *SHAPE), 1.0)
    x0, cond = gaussian(SHAPE, 0, "x").double(), denoiser.encode_text(["0"])
    one, all_ = (predictions(denoiser, x0, "x", cond, 8, 0, Batching(b)) for b in (1, 64))
    np.testing.assert_allclose(one, all_, rtol=1e-6)
