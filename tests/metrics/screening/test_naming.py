"""What was planted is named first, as the one thing that it is, and nothing is named where nothing is."""

import numpy as np
import pytest
from owf.core.metrics.screening.naming import name_damage
from planted_rows import World, seen

WORLD, BACKGROUND, DAMAGE = World(), -4.0, 3.0
RUNS = 20
PLANTS = {
    "a class": {"class": 2},
    "a colour": {"colour": 4},
    "a place": {"place": 0},
    "a colour of a class": {"class": 3, "colour": 1},
    "a single concept": {"class": 3, "colour": 1, "place": 2},
}


def planted(levels, rng, size=DAMAGE):
    """Return the means of a world with differing concepts, of which those with these levels are damaged."""
    truth = rng.normal(BACKGROUND, 0.3, 90)
    truth[WORLD.having(**levels)] = size
    return seen(truth, rng, noise=0.5)


def things(means, limit=0.0):
    """Return what is named where everything has one limit."""
    return name_damage(means, WORLD.attributes, lambda levels, members: limit).things


@pytest.mark.parametrize("plant", PLANTS)
def test_the_planted_thing_is_named_first(plant):
    rng, first = np.random.default_rng(0), 0
    for _ in range(RUNS):
        named = things(planted(PLANTS[plant], rng))
        first += bool(named) and set(named[0].members) == set(np.flatnonzero(WORLD.having(**PLANTS[plant])))
    assert first >= 0.95 * RUNS


def test_a_single_concept_and_a_class_have_the_names_of_what_they_share():
    rng = np.random.default_rng(1)
    assert things(planted({"class": 2}, rng))[0].levels == (("class", "class 2"),)
    assert things(planted(PLANTS["a single concept"], rng))[0].levels == ()


def test_two_plants_are_two_things():
    rng = np.random.default_rng(2)
    truth = np.full(90, BACKGROUND)
    classes, colours = WORLD.having(**{"class": 1}), WORLD.having(colour=2)
    truth[classes | colours] = DAMAGE
    named = things(seen(truth, rng))[:2]
    assert {thing.levels for thing in named} == {(("class", "class 1"),), (("colour", "colour 2"),)}


def test_damage_everywhere_is_one_thing():
    [thing] = things(seen(np.full(90, DAMAGE), np.random.default_rng(3)))
    assert (thing.levels, len(thing.members)) == ((), 90)
    assert thing.low < DAMAGE < thing.high


def test_nothing_is_named_where_all_lies_at_the_limit():
    rng = np.random.default_rng(4)
    wrong = sum(bool(things(seen(np.zeros(90), rng))) for _ in range(100))
    assert wrong <= 11  # of 100 runs at 5 % at most: more has a chance of 1 %


def test_nothing_is_named_where_the_worst_stays_within_the_limit():
    named = things(planted({"class": 2}, np.random.default_rng(5), size=-1.0))
    assert named == []


def test_everything_and_every_level_have_bounds_that_hold_together():
    """They are what shows that nothing large is damaged; of 100 runs at 5 % at most, more than 11 miss at 1 %."""
    rng, missed = np.random.default_rng(6), 0
    for _ in range(100):
        truth = rng.normal(0, 1, 90)
        groups = name_damage(seen(truth, rng), WORLD.attributes, lambda levels, members: 0.0).groups
        assert len(groups) == 1 + 6 + 5 + 3
        missed += any(not g.low <= truth[g.members].mean() <= g.high for g in groups)
    assert missed <= 11


def test_each_thing_has_a_limit_of_its_own():
    means = planted({"class": 2}, np.random.default_rng(7))
    lenient = (("class", "class 2"),)
    named = name_damage(means, WORLD.attributes, lambda levels, members: 9.0 if levels == lenient else 0.0).things
    assert lenient not in [thing.levels for thing in named]
