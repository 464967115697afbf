"""Losses against numbers worked out by hand."""

import pytest
import torch
from gaussian_denoiser import rectified_flow
from owf.core.model.diffusion.denoiser import Conditioning
from owf.core.model.diffusion.encodings import Encodings
from owf.core.model.diffusion.schedule import Schedule, variance_preserving
from owf.core.train.data.rows import Draw, Rows, by_shape
from owf.core.train.data.text_cache import TextCache
from owf.core.train.loop.loss import LossMaker, min_snr_weights
from owf.core.train.preserve.term import Examples, Regularizer

ALPHAS = torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64)


class Off:
    """Counts how often the base is asked for."""

    def __init__(self, denoiser):
        self.denoiser = denoiser

    def __enter__(self):
        self.denoiser.gain = 0.0

    def __exit__(self, *exc):
        self.denoiser.gain = self.denoiser.learnt


class Model:
    """Predicts gain * x_t plus the length of the caption; the base has gain 0."""

    dtype, device = torch.float32, torch.device("cpu")
    trains_text = False
    parameters: dict = {}  # noqa: RUF012

    def __init__(self, prediction_type="epsilon", gain=0.5):
        self.schedule = variance_preserving(ALPHAS, prediction_type)
        self.gain = self.learnt = gain

    def off(self):
        return Off(self)

    def encode_text(self, prompts):
        return Conditioning(torch.tensor([[[float(len(p))]] for p in prompts]))

    def forward(self, x_t, t, cond):
        return self.gain * x_t + cond.context.view(-1, 1, 1, 1)


class Ask(Regularizer):
    def __init__(self, captions, target=None):
        self.captions, self.target = captions, target

    def examples(self, concept, draw):
        return (Examples(concept.captioned(self.captions), self.target),)


class Penalty(Regularizer):
    def penalty(self):
        return torch.tensor(7.0)


def rows(captions=("ab", "abcd"), t=(0, 2)):
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 1, 2, 2, generator=generator), torch.randn(2, 1, 2, 2, generator=generator)
    return Rows(x0, eps, torch.tensor(t), tuple(captions))


def losses(model, terms, **options):
    return LossMaker(model, model, TextCache(Encodings(model)), options.get("min_snr", 0.0), torch.float32).losses(
        rows(), Draw(0, 0), terms
    )


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_the_concept_loss_is_the_mean_squared_error_to_the_schedules_target(prediction_type):
    model, batch = Model(prediction_type), rows()
    x_t = model.schedule.noise(batch.x0, batch.eps, batch.t)
    target = model.schedule.target(batch.x0, batch.eps, batch.t)
    lengths = torch.tensor([2.0, 4.0]).view(2, 1, 1, 1)
    expected = (0.5 * x_t + lengths - target).square().mean()
    assert torch.allclose(losses(model, {}).concept, expected, rtol=1e-6)


def test_a_question_without_target_asks_the_base_on_the_same_rows():
    model, batch = Model(), rows()
    x_t = model.schedule.noise(batch.x0, batch.eps, batch.t)
    # Student and base see the same captions, so the caption's part cancels and gain * x_t is left.
    found = losses(model, {"class": Ask(("x", "yz"))}).terms["class"]
    assert torch.allclose(found, (0.5 * x_t).square().mean(), rtol=1e-6)


def test_a_question_with_a_target_does_not():
    model, batch = Model(), rows()
    x_t = model.schedule.noise(batch.x0, batch.eps, batch.t)
    target = torch.full_like(batch.x0, 3.0)
    found = losses(model, {"prior": Ask(("", ""), target)}).terms["prior"]
    assert torch.allclose(found, (0.5 * x_t - 3).square().mean(), rtol=1e-6)


def test_an_unchanged_model_has_no_preservation_loss():
    assert losses(Model(gain=0.0), {"blank": Ask(("", ""))}).terms["blank"] == 0


def test_penalties_count_and_without_terms_nothing_is_asked():
    assert losses(Model(), {"l2": Penalty()}).terms == {"l2": torch.tensor(7.0)}
    assert losses(Model(), {}).terms == {}


def test_min_snr_weights_in_closed_form():
    t = torch.tensor([0, 1, 2])
    snr = torch.tensor([9.0, 1.0, 1 / 9])
    epsilon = min_snr_weights(variance_preserving(ALPHAS, "epsilon"), t, 5.0)
    assert torch.allclose(epsilon, torch.tensor([5 / 9, 1.0, 1.0]), rtol=1e-6)
    velocity = min_snr_weights(variance_preserving(ALPHAS, "v_prediction"), t, 5.0)
    assert torch.allclose(velocity, snr.clamp(max=5) / (snr + 1), rtol=1e-6)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "flow"])
def test_min_snr_weights_stay_finite_at_both_ends(prediction_type):
    last = 0.002 if prediction_type == "epsilon" else 0.0  # a predicted noise says nothing where no picture is left
    ends = Schedule(torch.tensor([1.0, last]).double(), torch.tensor([1e-9, 1.0]).double(), prediction_type)
    weights = min_snr_weights(ends, torch.tensor([0, 1]), 5.0)
    assert isinstance(weights, torch.Tensor)
    assert torch.isfinite(weights).all() and torch.ge(weights, 0).all()


def test_flow_targets_train_too():
    model = Model()
    model.schedule = rectified_flow(3)
    batch = rows()
    x_t = model.schedule.noise(batch.x0, batch.eps, batch.t)
    lengths = torch.tensor([2.0, 4.0]).view(2, 1, 1, 1)
    expected = (0.5 * x_t + lengths - (batch.eps - batch.x0)).square().mean()
    assert torch.allclose(losses(model, {}).concept, expected, rtol=1e-6)


def test_parts_of_one_shape_share_a_call_and_come_back_in_order():
    def part(side, value):
        x = torch.full((value, 1, side, side), float(value))
        return Rows(x, x, torch.zeros(value, dtype=torch.long), ("",) * value)

    calls = []

    def work(parts):
        calls.append(len(parts))
        return torch.cat([p.x0 for p in parts])

    parts = [part(2, 1), part(3, 2), part(2, 3)]
    outputs = by_shape(parts, work)
    assert calls == [2, 1]
    assert [(len(o), float(o.mean())) for o in outputs] == [(1, 1.0), (2, 2.0), (3, 3.0)]
