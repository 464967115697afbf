"""The map has every concept once, and neighbours are alike."""

import numpy as np
import pytest
from owf.core.metrics.screening.layout import grid_order


@pytest.mark.parametrize("count", [1, 2, 3, 7, 30, 101, 2750])
def test_every_concept_has_a_place_and_rows_are_full(count):
    order, width = grid_order(np.random.default_rng(0).normal(size=(count, 20)))
    assert sorted(order) == list(range(count))
    assert 1 <= width <= count
    assert 0.3 <= width * width / count <= 3


def test_neighbours_are_alike():
    """Points of a plane come back as a plane: neighbours of the grid are far nearer than any two points."""
    rng = np.random.default_rng(1)
    plane = rng.uniform(size=(400, 2))
    order, width = grid_order(plane @ rng.normal(size=(2, 100)))
    cells = plane[order].reshape(-1, width, 2)
    apart = [np.linalg.norm(np.diff(cells, axis=axis), axis=-1).mean() for axis in (0, 1)]
    assert max(apart) < 0.3 * 0.52  # 0.52 is the mean distance of two points of the unit square


def test_the_same_texts_give_the_same_map():
    texts = np.random.default_rng(2).normal(size=(60, 100))
    assert grid_order(texts)[0].tolist() == grid_order(texts.copy())[0].tolist()
    assert sorted(grid_order(np.ones((9, 4)))[0]) == list(range(9))
