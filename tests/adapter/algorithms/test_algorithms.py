"""Claim: from shapes alone, every algorithm either answers or refuses with AdapterError; the folder is the registry."""

import contextlib

import pytest
import torch
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


def named(name):
    return next(algorithm for algorithm in all_algorithms() if algorithm.name == name)


@pytest.mark.parametrize(("name", "up", "down"), [("lora", "up", "down"), ("lora_embedding", "token_up", "token_down")])
def test_the_size_of_a_product_is_that_of_the_change_it_makes(name, up, down):
    """Independent normal factors: |s B A| is |s| |B| |A| / sqrt(rank) up to a percent at these shapes."""
    rank, scale = 8, 0.5
    generator = torch.Generator().manual_seed(0)
    b, a = torch.randn(300, rank, generator=generator), torch.randn(rank, 200, generator=generator)
    norms = {up: float(b.norm()), down: float(a.norm())}
    size = named(name).size(norms, Outline(200, 300, rank=rank), scale)
    assert size == pytest.approx(float((scale * b @ a).norm()), rel=0.03)


@pytest.mark.parametrize("on_input", [0.0, 1.0])
def test_the_axis_of_ia3_is_no_part_of_its_size(on_input):
    assert named("ia3").size({"weight": 3.0, "on_input": on_input}, Outline(), on_input) == 3.0
