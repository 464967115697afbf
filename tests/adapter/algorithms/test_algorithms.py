"""Claim: from shapes alone, every algorithm either answers or refuses with AdapterError; the folder is the registry."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from owf.core.adapter.algorithms import Outline, all_algorithms, find
from owf.core.adapter.algorithms.algorithm import ALWAYS_ALLOWED
from owf.core.errors import AdapterError

SHAPE = st.lists(st.sampled_from([0, 1, 2, 4, 8]), max_size=5).map(tuple)
NAMES = [algorithm.name for algorithm in all_algorithms()]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_shapes_are_answered_or_refused(name, data):
    """Found by fuzzing: a one-dimensional factor beside a kernel ended in an IndexError."""
    algorithm = next(algorithm for algorithm in all_algorithms() if algorithm.name == name)
    slots = sorted(algorithm.slots)
    shapes = data.draw(st.dictionaries(st.sampled_from(slots), SHAPE, min_size=1))
    shape = data.draw(SHAPE.filter(len))
    with contextlib.suppress(AdapterError):
        outline = algorithm.outline(shapes)
        assert outline.misfit(shape) is None or outline != Outline()


@pytest.mark.parametrize("name", NAMES)
def test_marks_find_their_algorithm(name):
    algorithm = next(algorithm for algorithm in all_algorithms() if algorithm.name == name)
    assert find(algorithm.marks | algorithm.extras) is algorithm
    assert find(algorithm.marks | {"alpha", "diff_b"}) is algorithm


def test_mixtures_strangers_and_bare_extras_are_refused():
    for slots in (
        {"up", "down", "hada_w1_a"},
        {"up", "down", "diff"},
        {"up", "down", "second up"},
        ALWAYS_ALLOWED - {"diff_b"},
    ):
        with pytest.raises(AdapterError):
            find(frozenset(slots))
