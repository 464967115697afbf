"""Which pictures of a class are taken."""

import pytest
from owf.core.datasets.images.subset import drawn, first

NAMES = [f"picture {i}" for i in range(40)]


def test_the_first_are_taken_in_their_order():
    assert first(3)(NAMES) == [0, 1, 2]
    assert first(0)(NAMES) == list(range(40))
    assert first(99)(NAMES[:2]) == [0, 1]


def test_a_drawn_subset_depends_on_seed_and_names_only():
    taken = {NAMES[i] for i in drawn(10, 1)(NAMES)}
    assert len(taken) == 10
    assert {NAMES[::-1][i] for i in drawn(10, 1)(NAMES[::-1])} == taken  # whatever order the folder has
    assert {NAMES[i] for i in drawn(10, 2)(NAMES)} != taken
    assert taken <= {NAMES[i] for i in drawn(20, 1)(NAMES)}  # a larger one goes on from it
    assert drawn(10, 1)(NAMES) == sorted(drawn(10, 1)(NAMES))
    assert drawn(0, 1)(NAMES) == list(range(40))


def test_every_picture_is_drawn_equally_often():
    counts = [0] * 40
    for seed in range(400):
        for i in drawn(10, seed)(NAMES):
            counts[i] += 1
    # Each count is binomial with mean 100 and deviation 8.7; five of these hold for 40 of them together.
    assert min(counts) > 100 - 44 and max(counts) < 100 + 44


@pytest.mark.parametrize("names", [[], ["a"], ["a", "a"], ["\ud800"]])
def test_odd_lists_are_drawn_from_too(names):
    assert drawn(1, 0)(names) == list(range(len(names)))[: len(drawn(1, 0)(names))] or len(drawn(1, 0)(names)) == 1
