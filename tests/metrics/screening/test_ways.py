"""The way is measured in what the base's own prompts do, and what goes with everything else is no damage."""

import numpy as np
import pytest
from owf.core.errors import InvalidError
from owf.core.metrics.screening.moved import Moved
from owf.core.metrics.screening.naming import name_damage
from owf.core.metrics.screening.ways import (
    LIMIT,
    NOISE,
    WHOLE,
    Units,
    allowed,
    confusion,
    each_allowed,
    limit,
    logarithms,
    units,
    way,
)
from owf.core.plan.vocabulary import KIND, Concept
from planted_rows import World, seen

THINGS = [
    Concept(f"a {name}", name, ((KIND, kind),))
    for name, kind in (("cat", "animals"), ("dog", "animals"), ("key", "things"))
]


def test_units_are_means_by_kind_and_by_what_was_exchanged():
    contrast = np.log([[1.0, 4.0], [16.0, 4.0], [0.25, 0.25]])
    exchanged = np.array([["colour", "size"], ["colour", "size"], [KIND, KIND]])
    found = units(contrast, exchanged, np.zeros((3, 2), bool), THINGS)
    assert found.whole == pytest.approx(contrast.mean())
    assert found.attributes == pytest.approx({"colour": np.log(4.0), "size": np.log(4.0)})
    assert found.concepts == pytest.approx([np.log(4.0), np.log(4.0), np.log(0.25)])
    assert found.of((("colour", "red"),), np.array([0, 1])) == pytest.approx(np.log(4.0))
    assert found.of((), np.array([2])) == pytest.approx(np.log(0.25))
    assert found.of((), np.arange(3)) == found.of(((KIND, "animals"),), np.array([0, 1])) == found.whole


def test_neighbours_say_nothing_of_how_far_others_are():
    contrast, near = np.log([[1.0, 4.0], [16.0, 4.0], [0.25, 9.0]]), np.array([[0, 0], [0, 0], [1, 1]], bool)
    exchanged = np.array([["colour", "size"], ["colour", "size"], ["form", KIND]])
    found = units(contrast, exchanged, near, THINGS)
    assert found.whole == pytest.approx(contrast[:2].mean())
    assert found.attributes == pytest.approx({"colour": np.log(4.0), "size": np.log(4.0), "form": found.whole})


def test_of_two_attributes_the_nearer_exchange_counts():
    found = Units(0.0, {"class": 1.0, "colour": -2.0}, np.zeros(3))
    assert found.of((("class", "bag"), ("colour", "red")), np.arange(2)) == -2.0


def test_what_rounding_would_decide_is_no_unit():
    same = np.full((3, 2), np.log(NOISE))
    with pytest.raises(InvalidError, match="whatever it is asked"):
        units(same, np.full((3, 2), KIND), np.zeros((3, 2), bool), THINGS)
    one_kind = np.array([[0.0, 0.0], [0.0, 0.0], [np.log(NOISE)] * 2])
    found = units(one_kind, np.full((3, 2), KIND), np.zeros((3, 2), bool), THINGS)
    assert found.concepts[2] == pytest.approx(np.log(10 * NOISE))


def test_the_limit_is_where_a_third_of_the_way_is_gone():
    for free, unit, gone in ((1e-3, -2.0, LIMIT), (NOISE, 3.0, WHOLE)):
        assert way(limit(free, unit, gone), free, unit) == pytest.approx(gone)
    assert way(np.log(0.25), 0.0, 0.0) == pytest.approx(0.5)
    assert way(-50.0, 1e-3, 0.0) == 0
    assert np.isfinite(way(1e6, 0.0, 0.0))
    assert logarithms(np.zeros(1), np.ones(1)) == pytest.approx(np.log(NOISE))


def moved(truth, rng) -> Moved:
    """Return a world of concepts with these logarithms of change, whose prompts do 1 to the predictions."""
    world = World()
    concepts = [Concept(str(i), str(i), ()) for i in range(len(truth))]
    one = Units(0.0, dict.fromkeys(world.names, 0.0), np.zeros(len(truth)))
    return Moved(concepts, seen(truth, rng), one, world.attributes)


def test_what_all_others_moved_by_twice_is_allowed():
    means = seen(np.full(90, np.log(0.01)), np.random.default_rng(0), noise=1e-3)
    assert allowed(means, np.arange(10)) == pytest.approx(0.02, rel=0.01)
    assert allowed(means, np.arange(90)) == NOISE  # nobody else is there
    assert each_allowed(means, np.zeros(90)) == pytest.approx(np.full(90, 0.02), rel=0.01)
    # Nobody may go half the way because others do.
    far = seen(np.zeros(90), np.random.default_rng(0), noise=1e-3)
    assert way(np.log(WHOLE**2), each_allowed(far, np.zeros(90)), 0.0) == pytest.approx(np.full(90, LIMIT))


def test_intervals_of_ways_cover():
    """They hold for all that could be named, so one alone covers more often; of 200 runs at 95 %, 14 miss at 10 %."""
    world, rng, missed = World(), np.random.default_rng(1), 0
    truth = np.full(90, -5.0)
    truth[world.having(**{"class": 2})] = np.log(0.5)
    true_way = np.sqrt(0.5 - 2 * np.exp(-5.0))
    for _ in range(200):
        found = moved(truth, rng)
        named = name_damage(found.means, found.attributes, found.limit_of)
        [lost] = [group for group in named.groups if group.levels == (("class", "class 2"),)]
        estimate = found.thing_way(lost.levels, lost.members, named.quantiles.levels)
        missed += not estimate.low <= true_way <= estimate.high
    assert missed <= 14


def apart(count, rng):
    """Return predictions (V, D) of concepts that lie about equally far from one another."""
    return rng.normal(size=(count, 512))


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        (lambda x, rng: x, 0.0),
        (lambda x, rng: x + 5 * rng.normal(size=512), 0.0),  # alike under every prompt, and farther than any other
        (lambda x, rng: x + rng.normal(size=x.shape), 0.0),  # each its own way, towards no other
        (lambda x, rng: x[rng.permutation(len(x))], 1.0),
        (lambda x, rng: np.repeat(x[:1], len(x), axis=0), 1.0),
        (lambda x, rng: 0.6 * x + 0.4 * x.mean(axis=0), 0.4),
    ],
)
def test_confusion_is_what_is_gone_of_what_tells_concepts_apart(change, gone):
    rng = np.random.default_rng(0)
    own, rows = apart(400, rng), 4
    moved = change(own, rng) - own
    others = (np.arange(400)[:, None] + rng.integers(1, 400, (400, rows))) % 400
    contrasts = own[others] - own[:, None]
    toward, contrast = (moved[:, None] * contrasts).sum(axis=2), np.square(contrasts).sum(axis=2)
    found = confusion(toward, contrast, np.ones_like(contrast), contrast > 0)
    assert found.value == pytest.approx(gone, abs=0.06)
    assert found.low - 0.02 <= gone <= found.high + 0.02
    alone = confusion(toward[:1], contrast[:1], np.ones_like(contrast[:1]), contrast[:1] > 0)
    assert np.isfinite([alone.low, alone.value, alone.high]).all() and alone.n == rows


def test_intervals_of_confusion_cover():
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        contrast = rng.gamma(4, size=(60, 2))
        toward = 0.15 * contrast + rng.normal(0, 0.5, (60, 2)) + rng.normal(0, 0.3, (60, 1))
        found = confusion(toward, contrast, np.ones_like(contrast), contrast > 0)
        covered += found.low <= 0.3 <= found.high
    assert 0.92 <= covered / 400 <= 0.98
