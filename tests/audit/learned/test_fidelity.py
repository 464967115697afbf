"""Concept fidelity: values known beforehand, how often its interval holds the truth, and when there is no number."""

import math

import numpy as np
import pytest
from owf.core.audit.learned.fidelity import LEAST_VIEWS, fidelity, likeness
from owf.core.audit.learned.space import joined
from owf.core.errors import InvalidError

E1, E2 = np.eye(2)


def rows(vector, count):
    return np.tile(vector, (count, 1))


@pytest.mark.parametrize("degrees", [0, 30, 60, 90])
def test_between_the_base_and_the_concept_it_is_the_cosine(degrees):
    # Views and round trips are e1, the base draws e2: the scale is 0 to 1, and the cosine with e1 is the fidelity.
    angle = math.radians(degrees)
    tuned = rows(math.cos(angle) * E1 + math.sin(angle) * E2, 4)
    found = fidelity(tuned, rows(E2, 4), rows(E1, 5), rows(E1, 5))
    assert found is not None
    assert [found.value, found.low, found.high] == pytest.approx([math.cos(angle)] * 3, abs=1e-12)
    assert (found.n, found.unit) == (4, "share")


def test_a_model_that_learned_nothing_is_zero_whatever_the_seeds_are():
    rng = np.random.default_rng(1)
    base = joined([rng.normal(size=(8, 6)) + 4 * np.eye(6)[1]])
    views = joined([rng.normal(size=(5, 6)) * 0.2 + 4 * np.eye(6)[0]])
    found = fidelity(base, base, views, views)
    assert found is not None
    assert found.value == 0
    assert found.low <= 0 <= found.high


def test_the_ceiling_is_the_round_trip_to_the_other_views():
    # Each view is its own round trip; between two different ones the cosine is 1/2.
    views = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]]) / math.sqrt(2)
    found = likeness(views[:1], views[:1], views, views)
    assert found.ceiling == found.views == pytest.approx(0.5)
    assert found.base == pytest.approx(2 / 3)  # to all three, of which one is itself


def drawn(rng, mean, count, spread):
    return joined([mean + spread * rng.normal(size=(count, len(mean)))])


CONCEPT, CLASS = 3 * np.eye(24)[0] + np.eye(24)[2], 3 * np.eye(24)[1] + np.eye(24)[2]


def sample(rng, learned, seeds, views):
    """Return unit vectors of a model that went `learned` of the way, with views that an autoencoder blurs."""
    base = drawn(rng, CLASS, seeds, 0.4)
    tuned = drawn(rng, CLASS + learned * (CONCEPT - CLASS), seeds, 0.4)
    seen = CONCEPT + 0.35 * rng.normal(size=(views, len(CONCEPT)))
    return tuned, base, joined([seen]), joined([seen + 0.2 * rng.normal(size=seen.shape)])


def truth(learned):
    tuned, base, views, trips = (part.mean(0) for part in sample(np.random.default_rng(99), learned, 40_000, 40_000))
    return ((tuned - base) @ views) / ((trips - base) @ views)


@pytest.mark.parametrize(("learned", "views"), [(0.0, 5), (0.6, 5), (1.0, 5), (0.8, 3), (0.8, 16)])
def test_the_interval_holds_the_truth_as_often_as_it_says(learned, views):
    rng, known, trials = np.random.default_rng(7), truth(learned), 1000
    found = [fidelity(*sample(rng, learned, 16, views)) for _ in range(trials)]
    given = [e for e in found if e is not None]
    held = [e.low <= known <= e.high for e in given]
    # 95 % of 1000 with a standard deviation of 0.7 points; the jackknife of a mean over pairs errs to the safe side.
    assert np.mean(held) >= 0.93


def test_where_base_and_ceiling_are_as_good_as_one_there_is_no_number():
    rng = np.random.default_rng(3)
    for _ in range(50):
        base = drawn(rng, CONCEPT, 16, 0.4)
        views = CONCEPT + 0.4 * rng.normal(size=(5, len(CONCEPT)))
        found = fidelity(drawn(rng, CONCEPT, 16, 0.4), base, joined([views]), joined([views]))
        # Chance makes a scale that seems known in one of some hundred; then the interval says so.
        assert found is None or found.high - found.low > 1


def test_a_ceiling_below_the_base_is_no_scale():
    assert fidelity(rows(E2, 4), rows(E1, 4), rows(E1, 5), rows(E2, 5)) is None


@pytest.mark.parametrize("views", range(LEAST_VIEWS))
def test_too_few_views_are_no_sample(views):
    assert fidelity(rows(E1, 4), rows(E2, 4), rows(E1, views), rows(E1, views)) is None


def test_networks_weigh_the_same_whatever_their_width_and_length():
    narrow, wide = np.array([[3.0, 0.0], [0.0, 3.0]]), np.array([[1e3, 1e3, 0, 0], [1e3, 0, 0, 0]])
    space = joined([narrow, wide])
    assert np.allclose(np.linalg.norm(space, axis=1), 1)
    assert space[0] @ space[1] == pytest.approx((0 + math.sqrt(0.5)) / 2)


@pytest.mark.parametrize("broken", [0.0, math.nan, math.inf])
def test_features_without_a_direction_are_refused(broken):
    with pytest.raises(InvalidError, match="zero, NaN or infinite"):
        joined([np.full((2, 3), broken)])
