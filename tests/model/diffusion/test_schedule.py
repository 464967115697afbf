"""The forward process in closed form."""

import math

import pytest
import torch
from gaussian_denoiser import ddpm_schedule, rectified_flow
from owf.core.model.diffusion import schedule
from owf.core.model.diffusion.schedule import asked_timesteps, spaced_timesteps


def schedules():
    return [ddpm_schedule("epsilon"), ddpm_schedule("v_prediction"), rectified_flow(1000, shift=3.0)]


@pytest.mark.parametrize("schedule", schedules(), ids=["epsilon", "v", "flow"])
def test_split_inverts_noise_and_target(schedule):
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 5, 4, 3, 3, generator=generator, dtype=torch.float64)
    t = torch.tensor([0, 10, 500, 900, 998])
    x_t, target = schedule.noise(x0, eps, t), schedule.target(x0, eps, t)
    found_x0, found_eps = schedule.split(x_t, target, t)
    # float64 rounding, divided by a signal of at least 0.07 (epsilon) or 1e-3 (flow)
    torch.testing.assert_close(found_x0, x0, atol=1e-9, rtol=0)
    torch.testing.assert_close(found_eps, eps, atol=1e-9, rtol=0)


def test_matches_diffusers_ddpm():
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler(1000, 0.00085, 0.012, "scaled_linear", clip_sample=False)
    x0, eps = torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([3, 400, 999])
    ours = ddpm_schedule("v_prediction")
    torch.testing.assert_close(ours.noise(x0, eps, t), theirs.add_noise(x0, eps, t), atol=2e-5, rtol=0)
    torch.testing.assert_close(ours.target(x0, eps, t), theirs.get_velocity(x0, eps, t), atol=2e-5, rtol=0)


def test_spaced_timesteps_are_those_of_the_diffusion_classifier():
    assert spaced_timesteps(4, 1000) == [125, 375, 625, 875]
    assert spaced_timesteps(500, 1000)[:3] == [1, 3, 5]
    assert len(spaced_timesteps(7, 1000)) == 7


def test_a_distilled_base_is_asked_at_its_samplers_own_timesteps():
    """All eight of eight; every other one of them; of four each twice, with other noise the second time."""
    flow = schedule.rectified_flow(1000, math.log(3.0))
    own = sorted(flow.drawn_timesteps(8))
    assert asked_timesteps(8, flow, 8) == [(t, 0) for t in own]
    assert [round(float(flow.sigma[t]), 3) for t in own] == [0.3, 0.5, 0.643, 0.75, 0.833, 0.9, 0.955, 1.0]
    assert asked_timesteps(4, flow, 8) == [(t, 0) for t in own[1::2]]
    assert asked_timesteps(8, flow, 4) == [(t, trial) for t in sorted(flow.drawn_timesteps(4)) for trial in (0, 1)]
    assert asked_timesteps(4, flow) == [(t, 0) for t in (125, 375, 625, 875)]


def test_unknown_prediction_type_is_refused():
    with pytest.raises(ValueError, match="sample"):
        ddpm_schedule("sample")
