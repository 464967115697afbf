"""Pictures of a Gaussian world end where its flow does, in fewer steps with the second order."""

import math

import pytest
import torch
from gaussian_denoiser import GaussianDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate_latents
from owf.core.model.diffusion.schedule import rectified_flow
from owf.core.plan.solvers import DDIM, DPM_2M, SOLVERS

SPREAD = 0.5
FLOW = rectified_flow(1000, math.log(3.0))


def error(solver, steps, schedule=None):
    """Return the largest error of a picture: the flow keeps a latent's place among those of its Gaussian."""
    mean = torch.full((1, 1, 4, 4), 0.7, dtype=torch.float64)
    base = GaussianDenoiser(mean, SPREAD, schedule)
    found = generate_latents(base, ["0"], [3], Sampling(steps, 1.0, solver=solver), Batching(1))
    signal, sigma = float(base.schedule.signal[-1]), float(base.schedule.sigma[-1])
    noise = gaussian(base.latent_shape, 3, "sample|0")
    place = (noise - signal * 0.7) / math.sqrt(signal**2 * SPREAD**2 + sigma**2)
    return float((found - (0.7 + SPREAD * place)).abs().max())


@pytest.mark.parametrize("steps", [12, 25, 50, 100])
@pytest.mark.parametrize("schedule", [None, FLOW], ids=["diffusion", "flow from pure noise"])
def test_the_second_order_is_nearer_to_the_end_of_the_flow(schedule, steps):
    assert error(DPM_2M, steps, schedule) < 0.8 * error(DDIM, steps, schedule)


@pytest.mark.parametrize("solver", SOLVERS)
def test_more_steps_come_nearer(solver):
    found = [error(solver, steps) for steps in (12, 25, 50, 100)]
    assert found == sorted(found, reverse=True)
