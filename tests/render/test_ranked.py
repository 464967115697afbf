"""The damage map as lists: worst first, the untouched last, and what is shown where nothing is damaged."""

import dataclasses
import math

import pytest
import report_samples as samples
from owf.core.metrics.measurement import Part
from owf.core.render.ranked import LEAST, LINES, MOST, least, ranked, worst_first


def titles(measurement):
    return {each.title: [part.label for part in each.parts] for each in ranked({"map": measurement})}


def with_parts(**breakdowns):
    found = samples.damage_map()
    return dataclasses.replace(found, breakdowns={**found.breakdowns, **breakdowns})


def test_what_is_damaged_comes_first_and_the_untouched_last():
    found = titles(samples.damage_map())
    assert list(found) == ["Damaged", LEAST]
    assert found["Damaged"] == ["green (14 concepts)"] and len(found[LEAST]) == LINES
    zero = [part.label for part in samples.damage_map().breakdowns["concept"] if part.estimate.value == 0]
    assert found[LEAST] == zero[:LINES]


def test_what_explains_most_stays_first():
    """That a part of it went further is the smaller news."""
    things = tuple(
        Part(label, samples.estimate(way, 0.1, 1, "relative")) for label, way in (("coat", 0.5), ("bag", 0.9))
    )
    assert titles(with_parts(thing=things))["Damaged"] == ["coat", "bag"]


def test_a_map_without_damage_says_what_moved_most():
    found = titles(with_parts(thing=()))
    assert list(found) == [MOST, LEAST]
    assert len(found[MOST]) == LINES and all(label.startswith("green") for label in found[MOST])


def test_other_concepts_are_listed_beside_the_damaged_ones():
    suspected = tuple(Part(f"word {i}", samples.estimate(0.01 * i, 0.1, 1, "relative")) for i in range(9))
    found = titles(with_parts(suspected=suspected))
    assert list(found) == ["Damaged", "Moved most of the others", LEAST]
    assert found["Moved most of the others"] == [f"word {i}" for i in (8, 7, 6, 5, 4)]


def test_what_has_no_map_has_no_lists():
    assert ranked(samples.report().measurements) == []
    assert ranked({"map": with_parts(thing=(), concept=())}) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_taken_for_untouched(value):
    parts = (Part("odd", samples.estimate(value, 0.1, 1, "relative")), Part("car", samples.estimate(0.5, 0.1, 1)))
    assert [part.label for part in least(parts)] == ["car"]
    assert worst_first(parts)[-1].label == "car"
