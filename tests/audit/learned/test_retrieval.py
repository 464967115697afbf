"""Retrieval and copying, where the answer is known."""

import numpy as np
import pytest
from owf.core.audit.learned.copying import MARGIN, near
from owf.core.audit.learned.retrieval import retrieved, retrieved_views, squared_distances
from owf.core.audit.learned.space import joined

LOOKS = 20
AXES = np.eye(LOOKS + 12)


def members(rng, look, count, spread=0.0):
    return joined([AXES[[look] * count] + spread * rng.normal(size=(count, len(AXES)))])


def test_the_distance_to_a_concept_is_that_to_its_mean_however_many_pictures_show_it():
    rng = np.random.default_rng(0)
    picture = joined([AXES[:1] + AXES[1:2]])
    mean = members(rng, 0, 50_000, 0.3).mean(0)
    known = ((picture[0] - mean) ** 2).sum()
    for count in (2, 5, 40):
        found = [squared_distances(picture, members(rng, 0, count, 0.3))[0] for _ in range(4000 // count)]
        assert np.mean(found) == pytest.approx(known, abs=4 * np.std(found) / len(found) ** 0.5)


def test_pictures_of_the_taught_look_retrieve_it_and_those_of_another_do_not():
    rng = np.random.default_rng(1)
    taught, others = members(rng, 0, 5, 0.1), [members(rng, look, 2, 0.1) for look in range(1, LOOKS)]
    assert retrieved(members(rng, 0, 16, 0.1), taught, others).all()
    assert not retrieved(members(rng, 7, 16, 0.1), taught, others).any()
    assert retrieved_views(taught, others).all()


def test_pictures_that_show_nothing_retrieve_it_one_time_in_twenty():
    # Twenty looks alike, each with its pictures; whichever comes out nearest is chance.
    rng, found = np.random.default_rng(2), []
    for _ in range(400):
        shown = [members(rng, 30, 2, 0.3) for _ in range(LOOKS)]
        found += list(retrieved(members(rng, 30, 4, 0.3), shown[0], shown[1:]))
    # Pictures of one trial share their looks: 400 independent answers at least, standard deviation 1.1 points.
    assert np.mean(found) == pytest.approx(0.05, abs=0.033)


def test_views_that_are_no_nearer_to_one_another_have_no_ceiling():
    rng = np.random.default_rng(3)
    views = np.stack([members(rng, look, 1)[0] for look in range(1, 6)])  # five things that are one another's strangers
    assert not retrieved_views(views, [members(rng, look, 2) for look in range(1, LOOKS)]).any()


def test_a_copy_is_nearer_than_half_of_what_lies_between_the_training_pictures():
    training = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    inside, outside = 4 * MARGIN - 1e-9, 4 * MARGIN + 1e-9
    pictures = np.array([[0.0, 0.0], [-inside, 0.0], [-outside, 0.0], [2.0, 2.0], [40.0, 0.0]])
    assert list(near(pictures, training)) == [True, True, False, False, False]


def test_a_picture_that_is_there_twice_hides_no_copy():
    training = np.array([[0.0, 0.0], [0.0, 0.0], [4.0, 0.0], [8.0, 0.0], [12.0, 0.0]])
    assert list(near(np.array([[0.1, 0.0], [4.1, 0.0], [6.0, 0.0]]), training)) == [True, True, False]
