"""What attributes do is found beside single concepts, balanced or not."""

import numpy as np
import pytest
from owf.core.metrics.screening.inference.attributes import Attribute, regress
from planted_rows import World, centred


def test_levels_of_a_balanced_world_are_its_margins():
    world, rng = World(), np.random.default_rng(0)
    mean = rng.normal(0, 1, 90)
    found = regress(mean, np.full(90, 0.3), world.attributes)
    margins = [mean[a.codes == i].mean() for a in world.attributes for i in range(len(a.levels))]
    assert [row[2] for row in found.level_means()] == pytest.approx(margins)
    assert [row[:2] for row in found.level_means()][:2] == [("class", "class 0"), ("class", "class 1")]


def test_levels_are_told_apart_where_concepts_are_not_balanced():
    """A class that is mostly green is not damaged because green is."""
    rng = np.random.default_rng(1)
    kind, colour = rng.integers(0, 4, 300), rng.integers(0, 3, 300)
    colour[kind == 0] = np.where(rng.random((kind == 0).sum()) < 0.9, 0, colour[kind == 0])
    of_kind, of_colour = centred(rng.normal(0, 1, 4)), np.array([2.0, -1.0, -1.0])
    attributes = (Attribute("class", tuple("abcd"), kind), Attribute("colour", tuple("xyz"), colour))
    found = regress(5 + of_kind[kind] + of_colour[colour], np.full(300, 0.1), attributes)
    levels = np.array([row[2] for row in found.level_means()])
    assert levels[:4] - levels[:4].mean() == pytest.approx(of_kind)
    assert levels[4:] - levels[4:].mean() == pytest.approx(of_colour)


def test_concepts_without_an_attribute_do_not_move_it():
    codes = np.array([0, 0, 1, 1, -1, -1, -1])
    found = regress(np.array([1.0, 1, 3, 3, 9, 9, 9]), np.full(7, 0.1), [Attribute("colour", ("red", "green"), codes)])
    low, high = (row[2] for row in found.level_means())
    assert high - low == pytest.approx(2)


def test_what_is_left_is_the_moment_estimate_where_errors_are_alike():
    world, rng = World(), np.random.default_rng(2)
    mean = rng.normal(0, 1, 90)
    found = regress(mean, np.full(90, 0.5), world.attributes)
    freedom = 90 - (1 + 5 + 4 + 2)
    squares = np.square(mean - found.predicted).sum()
    assert found.freedom == freedom
    assert found.rest == pytest.approx(squares / freedom - 0.25)
    alike = regress(np.full(90, 1.0), np.full(90, 0.5), world.attributes)
    assert alike.rest == pytest.approx(0.25 * np.sqrt(2 / freedom))


def test_intervals_of_all_levels_hold_together():
    world, rng, hits = World(), np.random.default_rng(3), []
    effects = [centred(rng.normal(0, 1, len(a.levels))) for a in world.attributes]
    truth = sum(effect[a.codes] for effect, a in zip(effects, world.attributes, strict=True))
    for _ in range(300):
        mean = truth + rng.normal(0, 0.7, 90) + rng.normal(0, 0.5, 90)
        rows = regress(mean, np.full(90, 0.5), world.attributes).level_means()
        hits.append(
            all(low <= true <= high for (*_, low, high), true in zip(rows, np.concatenate(effects), strict=True))
        )
    assert np.mean(hits) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300)


def test_too_few_concepts_say_nothing_of_how_they_differ():
    assert regress(np.zeros(3), np.ones(3), ()) is None
    assert regress(np.zeros(4), np.ones(4), ()) is not None
