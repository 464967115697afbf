"""Times of rectified flows: closed forms, and those of diffusers' scheduler and pipelines in the same run."""

import math

import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.backends.flow import Shift, by_size, empirical, flow_of
from owf.core.model.diffusion.schedule import SHIFT_STEPS, rectified_flow, shifted, stretched

NO_SHIFT = Shift(0.0)


def test_a_shift_is_that_of_the_odds():
    """Odds of the noise are multiplied by e^mu."""
    for share, mu in ((0.1, 0.7), (0.5, 1.15), (0.9, -0.4)):
        odds = shifted(share, mu) / (1 - shifted(share, mu))
        assert odds == pytest.approx(math.exp(mu) * share / (1 - share), rel=1e-12)
    assert shifted(1.0, 3.0) == 1.0


def test_shifts_are_composed_by_adding():
    assert shifted(shifted(0.3, 0.5), 0.9) == pytest.approx(shifted(0.3, 1.4), rel=1e-12)


def test_the_process_is_the_straight_path():
    schedule = rectified_flow(1000, math.log(3))
    assert schedule.prediction_type == "flow" and schedule.steps == 1000
    assert torch.equal(schedule.signal, 1 - schedule.sigma)
    assert float(schedule.sigma[-1]) == 1
    assert float(schedule.sigma[499]) == pytest.approx(3 * 0.5 / (1 + 2 * 0.5), rel=1e-12)


def test_the_shift_by_size_is_that_of_the_pipeline():
    from diffusers.pipelines.flux.pipeline_flux import calculate_shift

    assert by_size({}, 256).log == pytest.approx(0.5)
    assert by_size({}, 4096).log == pytest.approx(1.15)
    other = {"base_image_seq_len": 16, "max_image_seq_len": 1024, "base_shift": 0.2, "max_shift": 0.9}
    assert by_size(other, 300).log == pytest.approx(calculate_shift(300, 16, 1024, 0.2, 0.9), rel=1e-12)


@pytest.mark.parametrize("tokens", [16, 1024, 4096, 4300, 4301, 16384])
@pytest.mark.parametrize("steps", [4, 20, 50, 100])
def test_the_empirical_shift_is_that_of_the_pipeline(tokens, steps):
    from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

    shift = empirical(tokens)
    assert shift.log + shift.growth * (steps - SHIFT_STEPS) == pytest.approx(
        compute_empirical_mu(tokens, steps), rel=1e-12
    )


CASES = {
    "static": ({"shift": 3.0}, NO_SHIFT),
    "dynamic": ({"use_dynamic_shifting": True, "shift": 3.0}, by_size({}, 4096)),
    "none": ({}, NO_SHIFT),
    "klein": ({"use_dynamic_shifting": True}, empirical(4096)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [1, 4, 8, 20, 50])
def test_pictures_are_drawn_at_the_times_of_the_scheduler(case, count):
    from diffusers import FlowMatchEulerDiscreteScheduler

    config, shift = CASES[case]
    scheduler = FlowMatchEulerDiscreteScheduler(**config)
    mu = shift.log + shift.growth * (count - SHIFT_STEPS)
    scheduler.set_timesteps(sigmas=torch.linspace(1.0, 1 / count, count).tolist(), mu=mu)
    schedule = flow_of(scheduler.config, 10_000, shift)
    times = schedule.drawn_timesteps(count)
    # Times are one of 10,000 where the shift depends on the steps, else those of diffusers but for float32.
    close = 1e-3 if shift.growth else 1e-6
    assert schedule.sigma[times].tolist() == pytest.approx([float(sigma) for sigma in scheduler.sigmas[:-1]], abs=close)
    assert times == sorted(set(times), reverse=True)


QWEN_IMAGE = {
    "base_image_seq_len": 256,
    "base_shift": 0.5,
    "max_image_seq_len": 8192,
    "max_shift": 0.9,
    "shift": 1.0,
    "shift_terminal": 0.02,
    "time_shift_type": "exponential",
    "use_dynamic_shifting": True,
}
"""Settings of the scheduler of Qwen/Qwen-Image, but for those that are off."""


@pytest.mark.parametrize("tokens", [1024, 83 * 83])
@pytest.mark.parametrize("count", [2, 8, 12, 18, 50])
def test_times_are_stretched_to_a_terminal_share_as_by_the_scheduler(tokens, count):
    from diffusers import FlowMatchEulerDiscreteScheduler

    shift = by_size(QWEN_IMAGE, tokens)
    scheduler = FlowMatchEulerDiscreteScheduler(**QWEN_IMAGE)
    scheduler.set_timesteps(sigmas=torch.linspace(1.0, 1 / count, count).tolist(), mu=shift.log)
    schedule = flow_of(scheduler.config, 10_000, shift)
    times = schedule.drawn_timesteps(count)
    # The nearest of 10,000 that are even before the shift, which makes at most e^mu of their half distance.
    close = 0.5e-4 * math.exp(shift.log) + 1e-6
    assert schedule.sigma[times].tolist() == pytest.approx([float(sigma) for sigma in scheduler.sigmas[:-1]], abs=close)
    exact = stretched([shifted(1 - i / count, shift.log) for i in range(count)], 0.02)
    assert exact == pytest.approx([float(sigma) for sigma in scheduler.sigmas[:-1]], abs=1e-6)
    assert exact[-1] == pytest.approx(0.02, abs=1e-12)


def test_a_picture_in_one_step_begins_in_pure_noise_whatever_the_terminal_share():
    """Where diffusers divides by zero."""
    assert flow_of({"shift": 3.0, "shift_terminal": 0.02}, 1000, NO_SHIFT).drawn_timesteps(1) == [999]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"_class_name": "EulerDiscreteScheduler"}, "EulerDiscreteScheduler"),
        ({"use_karras_sigmas": True}, "use_karras_sigmas"),
        ({"shift_terminal": 1.0}, "shift_terminal"),
        ({"shift_terminal": -0.02}, "shift_terminal"),
        ({"shift_terminal": "0.02"}, "shift_terminal"),
        ({"shift_terminal": float("nan")}, "shift_terminal"),
        ({"stochastic_sampling": True}, "stochastic_sampling"),
        ({"num_train_timesteps": 2000}, "num_train_timesteps 2000"),
        ({"num_train_timesteps": "1000"}, "num_train_timesteps '1000'"),
        ({"shift": "3"}, "shift '3'"),
        ({"shift": 0}, "shift 0"),
        ({"shift": float("nan")}, "shift nan"),
        ({"use_dynamic_shifting": True, "time_shift_type": "linear"}, "time_shift_type"),
    ],
)
def test_other_processes_are_refused(config, words):
    with pytest.raises(UsageError, match=words):
        flow_of(config, 1000, NO_SHIFT)


@pytest.mark.parametrize(
    "config", [{"base_shift": "x"}, {"max_image_seq_len": 256}, {"max_shift": 1e9}, {"base_shift": float("inf")}]
)
def test_shifts_that_are_none_are_refused(config):
    with pytest.raises(UsageError, match="shift"):
        by_size(config, 4096)
