"""Is the base read as it was trained? In closed form, and on the demo base read rightly and wrongly."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from audits import audit
from gaussian_denoiser import GaussianDenoiser, ddpm_schedule, rectified_flow
from owf.core.model.base import choose_base, load_base
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.reading import READING_LEVELS, judge_reading, level_timesteps, reading_sums
from owf.core.model.diffusion.sample import Sampling, generate_latents
from owf.core.model.diffusion.schedule import zero_terminal
from owf.core.plan.presets import preset_plan

ROOT = Path(__file__).resolve().parents[3]
SHAPE = (4, 16, 16)


class Read:
    """A denoiser that is said to predict something else, or asked for v where it knows the noise."""

    def __init__(self, denoiser, declared, truth):
        self._denoiser, self._truth = denoiser, truth
        self.schedule = dataclasses.replace(denoiser.schedule, prediction_type=declared)

    def __getattr__(self, name):
        return getattr(self._denoiser, name)

    def predict(self, x_t, t, cond):
        found = self._denoiser.predict(x_t, t, cond).to(x_t.dtype)
        if self._truth == "epsilon":
            return found
        signal, sigma = self._denoiser.schedule.factors(t, x_t)
        return (found - sigma * x_t) / signal  # v of the x0 and noise that the answer stands for


def reading(denoiser, latents, prompts):
    pairs = enumerate(zip(latents, prompts, strict=True))
    sums = [reading_sums(denoiser, x, str(i), denoiser.encode_text([p]), Batching(16)) for i, (x, p) in pairs]
    return judge_reading(sums, denoiser.schedule.prediction_type)


def test_levels_are_shares_of_the_picture_under_any_process():
    for schedule in (ddpm_schedule(), ddpm_schedule("v_prediction"), rectified_flow(shift=3.0)):
        t = level_timesteps(schedule)
        share = schedule.signal[t] / (schedule.signal[t] ** 2 + schedule.sigma[t] ** 2).sqrt()
        assert share.tolist() == pytest.approx(READING_LEVELS, abs=2e-3)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_ratio_is_the_closed_form_for_gaussian_pictures(kind):
    # x0 = m + r n with known m: the posterior's error of x0 is r^2 sigma^2 / (s^2 r^2 + sigma^2), the best multiple's
    # M sigma^2 / (s^2 M + sigma^2) with M = E x0^2. Targets are x0 up to the same factor, so the ratio is the quotient.
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(1, *SHAPE, generator=generator)
    spread = 0.3
    denoiser = GaussianDenoiser(means, spread, ddpm_schedule(kind))
    latents = means + spread * torch.randn(8, *SHAPE, generator=generator)
    found = reading(denoiser, latents, ["0"] * 8)
    size = float(latents.square().mean())
    error = lambda power, s: power / (s**2 * power + 1 - s**2)  # noqa: E731
    expected = np.exp(np.mean([np.log(error(spread**2, s) / error(size, s)) for s in READING_LEVELS]))
    # 32,768 numbers: means of squares are known to 1 %; the timesteps' levels to 0.5 %.
    assert found.ratio == pytest.approx(expected, rel=0.05)
    assert not found.is_wrong and not found.fits_nothing


def test_a_multiple_of_its_input_is_never_better_than_the_trivial_predictor():
    denoiser = GaussianDenoiser(torch.zeros(1, *SHAPE), 1.0)
    for factor in (0.0, 0.5, 1.0):
        denoiser.predict = lambda x_t, t, cond, factor=factor: factor * x_t
        found = reading(denoiser, torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(1)), ["0"] * 4)
        assert found.ratio >= 1
        assert found.fits_nothing


@pytest.fixture(scope="module")
def demo():
    return load_base(choose_base(None, "demo"), torch.device("cpu"), torch.float32, offline=True)


@pytest.mark.parametrize(
    ("declared", "truth", "terminal"),
    [
        ("epsilon", "epsilon", False),
        ("epsilon", "v_prediction", False),
        ("v_prediction", "epsilon", False),
        ("v_prediction", "v_prediction", False),
        ("v_prediction", "v_prediction", True),  # noise cannot be predicted from nothing but noise
    ],
)
def test_a_trained_base_is_told_from_a_misread_one(demo, declared, truth, terminal):
    plan = preset_plan("quick", "demo")
    prompts = [p.text for p in plan.prompts][::5][:8]
    model = Read(demo, declared, truth)
    if terminal:  # the same network, asked on the rescaled schedule as if it had been trained on the plain one
        signal = zero_terminal(demo.schedule.signal**2).sqrt()
        model.schedule = dataclasses.replace(model.schedule, signal=signal, sigma=(1 - signal**2).sqrt())
    latents = generate_latents(model, prompts, range(8), Sampling(plan.sampling_steps, 4.0), Batching(16))
    found = reading(model, latents, prompts)
    if declared == truth:
        assert found.ratio < 0.5
        assert not found.is_wrong
    else:
        assert found.is_wrong
        assert found.other == truth
        assert "trivial predictor" in found.sentence()


def test_an_audit_of_a_misread_base_is_invalid_and_says_what_it_predicts(demo, tmp_path):
    from owf.core.adapter import read_adapter
    from owf.core.audit.audit import AuditSetting
    from owf.core.demo import DEMO_LORAS
    from owf.core.progress import SILENT
    from owf.core.verdict.policy import default_policy

    plan = preset_plan("quick", "demo")
    plan = dataclasses.replace(plan, metrics=("denoiser_drift",), prompts=plan.prompts[:8])
    right, wrong = (
        AuditSetting(p, p, default_policy(), SILENT, Batching(16), {}, None) for p in (tmp_path / "a", tmp_path)
    )
    right.folder.mkdir()
    lora = read_adapter(DEMO_LORAS[0])
    wrong = audit(Read(demo, "v_prediction", "epsilon"), lora, 1.0, plan, wrong)
    assert (wrong.verdict.decision, wrong.verdict.exit_code) == ("INVALID", 4)
    assert not wrong.measurements
    assert "Read as epsilon" in wrong.verdict.reasons[0]
    right = audit(demo, lora, 1.0, plan, right)
    assert right.verdict.decision == "DRIFT"
    assert not any("trivial" in reason for reason in right.verdict.reasons)


@pytest.mark.parametrize(("declared", "truth"), [("epsilon", "v_prediction"), ("v_prediction", "epsilon")])
def test_a_training_on_a_misread_base_is_refused_whatever_the_pictures_are(demo, declared, truth, tmp_path):
    from owf.core.errors import InvalidError
    from owf.core.plan.concept import Concept
    from owf.core.progress import SILENT
    from owf.core.train.data.bank import make_bank, read_bank, shipped_bank
    from owf.core.train.plan import TrainPlan
    from owf.core.train.records import Picture, TrainSetting
    from owf.core.train.train import train

    # Flat pictures are unlike all that the base knows: about them, a misread base fits no reading.
    flat = [Picture(torch.full((3, 64, 64), value, dtype=torch.uint8), "a sks bag") for value in (30, 200)]
    bank = make_bank(read_bank(shipped_bank("demo")), Concept("sks", "bag"))
    plan = TrainPlan(class_word="bag", steps=1, batch=1, preserve=(), drift_every=0)
    setting = TrainSetting("x", tmp_path, tmp_path, SILENT, Batching(16))
    for _ in range(2):  # that a base was refused is not kept as if it had passed
        title = "v-prediction" if truth == "v_prediction" else truth
        with pytest.raises(InvalidError, match=f"Read as {title}, it does"):
            train(Read(demo, declared, truth), flat, bank, plan, setting)
    assert not (tmp_path / "x.safetensors").exists()


def test_a_base_that_is_read_right_is_checked_once_and_then_costs_nothing(demo, tmp_path):
    from owf.core.progress import Progress
    from owf.core.train.base_check import check_base, check_cost
    from owf.core.train.data.bank import Bank
    from owf.core.train.records import TrainSetting

    class Counted(Progress):
        done, left_out = 0, 0

        def advance(self, rows):
            self.done += rows

        def skip(self, rows):
            self.left_out += rows

    bank, seen = Bank((), ("a red shirt", "a blue bag")), Counted()
    setting = TrainSetting("x", tmp_path, tmp_path, seen, Batching(16))
    check_base(demo, bank, setting)
    assert (seen.done, seen.left_out) == (check_cost(bank), 0)
    check_base(demo, bank, setting)
    assert (seen.done, seen.left_out) == (check_cost(bank), check_cost(bank))


@pytest.fixture(scope="module")
def half_demo():
    return load_base(choose_base(None, "demo"), torch.device("cpu"), torch.float16, offline=True)


@pytest.mark.parametrize("metrics", [("denoiser_drift",), ("color",)])
def test_in_half_precision_a_misread_base_is_called_that_and_not_nan(half_demo, tmp_path, metrics):
    from owf.core.adapter import read_adapter
    from owf.core.audit.audit import AuditSetting
    from owf.core.demo import DEMO_LORAS
    from owf.core.progress import SILENT
    from owf.core.verdict.policy import default_policy

    plan = preset_plan("quick", "demo")
    plan = dataclasses.replace(plan, metrics=metrics, prompts=plan.prompts[:2], images_per_prompt=1)
    misread = Read(half_demo, "epsilon", "v_prediction")
    setting = AuditSetting(tmp_path, tmp_path, default_policy(), SILENT, Batching(16), {}, None)
    verdict = audit(misread, read_adapter(DEMO_LORAS[0]), 1.0, plan, setting).verdict
    assert verdict.decision == "INVALID"
    assert "Read as v-prediction, it does" in verdict.reasons[0]
    assert "NaN" not in verdict.reasons[0]


def test_what_is_not_finite_for_another_reason_keeps_its_message(demo):
    from owf.core.errors import InvalidError
    from owf.core.model.diffusion.reading import ToDraw, explained

    draws = ToDraw(("a bag", "a shoe"), (0, 1), Sampling(10, 1.0))
    with pytest.raises(InvalidError, match="decoded"), explained(demo, draws, Batching(16)):
        raise InvalidError("The decoded images contain NaN or infinite values.")


def test_pictures_beyond_single_precision_squared_are_scaled_back(demo):
    # 1e25 squared is infinite in float32: the scaled half must still be that of the picture of unit size.
    latents, cond = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2)), demo.encode_text(["a bag"])
    small, huge = (reading_sums(demo, size * latents, "0", cond, Batching(16))[1] for size in (1.0, 1e25))
    np.testing.assert_allclose(huge, small, rtol=1e-3)
