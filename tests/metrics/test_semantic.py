"""The diffusion classifier against closed forms, a plain loop, and planted drops."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from gaussian_denoiser import GaussianDenoiser
from owf.core.errors import InvalidError
from owf.core.metrics.semantic import (
    SemanticRows,
    fit_temperature,
    log_posterior,
    predicted_class,
    summarise_semantic,
)
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.classifier import image_errors, images_at_once
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.schedule import spaced_timesteps
from owf.core.plan.audit_plan import Stage
from owf.core.verdict.judge import judge
from owf.core.verdict.verdict import DRIFT
from progress_log import Heard

SHAPE = (4, 2, 2)
SPREAD = 1.0
STAGES = (Stage(10, 1),)


def two_classes(distance: float, angle: float = 0.0) -> torch.Tensor:
    """Return class means +-d/2 with |d| = distance, turned by an angle in a fixed plane."""
    axis = torch.zeros(2, 16, dtype=torch.float64)
    axis[0, :8], axis[1, 8:] = 8**-0.5, 8**-0.5
    d = distance * (math.cos(angle) * axis[0] + math.sin(angle) * axis[1])
    return torch.stack([d / 2, -d / 2]).view(2, *SHAPE)


def true_accuracy(distance: float, angle: float, stages=STAGES) -> float:
    """Return the classifier's accuracy when it believes the turned means; see GaussianDenoiser.

    The difference of the two classes' errors is linear in x0 and in each noise, so it is Gaussian:
    with w = sigma a / v, v = a^2 s^2 + sigma^2 its mean is -W d.d' and its variance
    4 |d'|^2 (sum w^2 a^4 s^4 / v^2 + W^2 s^2), W = sum w^2, on classes +-d/2.
    """
    schedule = GaussianDenoiser(two_classes(distance), SPREAD).schedule
    t = spaced_timesteps(stages[-1].samples, 1000)
    a, sigma = schedule.signal[t].numpy(), schedule.sigma[t].numpy()
    v = a**2 * SPREAD**2 + sigma**2
    w = sigma * a / v
    total = (w**2).sum()
    variance = 4 * distance**2 * ((w**2 * a**4 * SPREAD**4 / v**2).sum() + total**2 * SPREAD**2)
    return NormalDist().cdf(total * distance**2 * math.cos(angle) / math.sqrt(variance))


def draw_images(distance: float, count: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    labels = np.arange(count) % 2
    means = two_classes(distance)[labels]
    z = torch.stack([gaussian(SHAPE, seed, f"image {i}") for i in range(count)]).double()
    return means + SPREAD * z, labels


def classify(denoiser, images: torch.Tensor, seed: int, stages=STAGES, batch=64) -> np.ndarray:
    cond = denoiser.encode_text([str(k) for k in range(len(denoiser.means.weight))])
    items = [f"{seed}-{i}" for i in range(len(images))]
    return image_errors(denoiser, images, items, cond, stages, "l2", seed, Batching(batch))


def audit_rows(distance: float, angle: float, count: int, seed: int, stages=STAGES) -> SemanticRows:
    images, labels = draw_images(distance, count, seed)
    base = classify(GaussianDenoiser(two_classes(distance), SPREAD), images, seed, stages)
    tuned = classify(GaussianDenoiser(two_classes(distance, angle), SPREAD), images, seed, stages)
    return SemanticRows(("a", "b"), labels, base, tuned, None)


def test_accuracy_is_bayes_accuracy_for_many_timesteps():
    distance, stages = 2.4, (Stage(200, 1),)
    images, labels = draw_images(distance, 400, seed=1)
    rows = classify(GaussianDenoiser(two_classes(distance), SPREAD), images, 1, stages)
    found = summarise_semantic(SemanticRows(("a", "b"), labels, rows, rows, None)).estimates["accuracy_base"]
    bayes = NormalDist().cdf(distance / 2 / SPREAD)
    # 200 noises still cost a little: the closed form for finite timesteps is within half a point of Bayes
    assert abs(true_accuracy(distance, 0, stages) - bayes) < 0.005
    assert found.low <= bayes <= found.high


@pytest.mark.slow
def test_planted_drop_is_covered_in_at_least_90_of_100_repetitions():
    distance, angle = 2.4, 1.0
    drop = true_accuracy(distance, 0) - true_accuracy(distance, angle)
    assert 0.1 < drop < 0.3
    covered = 0
    for seed in range(100):
        found = summarise_semantic(audit_rows(distance, angle, 80, seed)).estimates["accuracy_drop"]
        covered += found.low <= drop <= found.high
    assert covered >= 90


def test_a_harmless_change_is_called_drift_in_at_most_5_of_100_repetitions():
    # The tuned model classifies independently of the base, with equal accuracy: the hardest harmless case.
    distance, calls = 2.4, 0
    for seed in range(100):
        images, labels = draw_images(distance, 60, seed)
        denoiser = GaussianDenoiser(two_classes(distance), SPREAD)
        base, tuned = classify(denoiser, images, seed), classify(denoiser, images, seed + 1000)
        verdict = judge({"semantic": summarise_semantic(SemanticRows(("a", "b"), labels, base, tuned, None))})
        calls += verdict.decision == DRIFT
    assert calls <= 5


@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_errors_equal_a_plain_double_loop(loss):
    images, _ = draw_images(2.0, 3, seed=7)
    denoiser = GaussianDenoiser(torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(0)), SPREAD)
    cond = denoiser.encode_text([str(k) for k in range(5)])
    for i, x0 in enumerate(images):
        fast = image_errors(denoiser, x0[None], [f"i{i}"], cond, (Stage(6, 1),), loss, 7, Batching(4))
        for k in range(5):
            for j, t in enumerate(spaced_timesteps(6, 1000)):
                eps = gaussian(SHAPE, 7, f"i{i}", t).double()[None]
                time = torch.tensor([t])
                error = denoiser.predict(denoiser.schedule.noise(x0[None], eps, time), time, cond.rows([k])) - eps
                plain = error.abs().mean() if loss == "l1" else error.square().mean()
                assert fast[0, k, j] == pytest.approx(float(plain), rel=1e-6)


def test_errors_do_not_depend_on_batch_size_or_company():
    images, _ = draw_images(2.0, 4, seed=3)
    denoiser = GaussianDenoiser(two_classes(2.0), SPREAD)
    stages = (Stage(4, 2), Stage(12, 1))
    one, many = classify(denoiser, images, 3, stages, batch=1), classify(denoiser, images, 3, stages, batch=64)
    np.testing.assert_allclose(one, many, rtol=1e-6)
    cond = denoiser.encode_text(["0", "1"])
    alone = image_errors(denoiser, images[2:3], ["3-2"], cond, stages, "l2", 3, Batching(5))
    np.testing.assert_allclose(alone[0], many[2], rtol=1e-6)


def test_images_are_taken_together_until_the_rows_of_the_first_round_fill_the_batches():
    stages = (Stage(2, 4), Stage(6, 1))
    assert images_at_once(10, stages, Batching(32, workers=2)) == 3  # 20 rows each
    assert images_at_once(10, stages, Batching(4)) == 1


def test_elimination_spends_the_published_rows_and_keeps_the_winner_complete():
    means = torch.randn(10, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2
    denoiser = GaussianDenoiser(means, SPREAD)
    spent = Heard()
    stages = (Stage(5, 4), Stage(10, 2), Stage(20, 1))
    cond = denoiser.encode_text([str(k) for k in range(10)])
    (errors,) = image_errors(denoiser, means[3:4].double(), ["x"], cond, stages, "l2", 0, Batching(64), spent)
    seen = np.isfinite(errors).sum(axis=1)
    # As in the published code, the second round's ten timesteps interleave with the first's five: fifteen in all.
    assert np.unique(seen, return_counts=True)[0].tolist() == [5, 15, 20]
    assert np.unique(seen, return_counts=True)[1].tolist() == [6, 2, 2]
    assert sum(spent.rows) == seen.sum()
    assert predicted_class(errors) == 3


def test_no_change_gives_exactly_zero():
    rows = audit_rows(2.0, 0.0, 40, seed=0)
    measured = summarise_semantic(rows)
    assert measured.estimates["accuracy_drop"].value == 0
    assert measured.estimates["margin_shift"].value == 0
    assert all(part.estimate.value == 0 for part in measured.breakdowns["class"])


def test_margin_shift_sees_what_accuracy_does_not():
    # The base answers every image right, and so does the tuned model, only less surely.
    measured = summarise_semantic(audit_rows(6.0, 0.3, 80, seed=0))
    assert measured.estimates["accuracy_base"].value == 1
    assert measured.estimates["accuracy_drop"].value == 0
    assert measured.estimates["margin_shift"].high < 0


def test_temperature_recovers_a_calibrated_posterior():
    rng = np.random.default_rng(0)
    errors, true = rng.normal(size=(4000, 3)), 5.0
    p = np.exp(log_posterior(errors, true))
    labels = np.array([rng.choice(3, p=row) for row in p])
    # Fisher information of 4,000 labels puts the standard error near 0.15
    assert fit_temperature(errors, labels) == pytest.approx(true, abs=0.6)


def test_a_base_at_chance_is_invalid():
    images, labels = draw_images(0.0, 60, seed=0)
    rows = classify(GaussianDenoiser(two_classes(0.001), SPREAD), images, 0)
    with pytest.raises(InvalidError, match="chance"):
        summarise_semantic(SemanticRows(("a", "b"), labels, rows, rows, None))


@pytest.mark.parametrize("broken", [0, 3])
def test_nan_for_one_class_at_one_timestep_is_invalid(broken):
    means = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0))
    denoiser = GaussianDenoiser(means, SPREAD)
    predict = denoiser.predict

    def overflowing(x_t, t, cond):
        hit = (cond.context[:, 0] == denoiser.means.weight[broken]).all(1) & (t > 800)
        return torch.where(hit[:, None, None, None], torch.nan, predict(x_t, t, cond))

    denoiser.predict = overflowing
    cond = denoiser.encode_text([str(k) for k in range(4)])
    with pytest.raises(InvalidError, match="NaN"):
        image_errors(denoiser, means[3:4].double(), ["x"], cond, (Stage(4, 2), Stage(8, 1)), "l2", 0, Batching(64))
