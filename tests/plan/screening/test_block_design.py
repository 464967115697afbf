"""Few rows a concept, and yet every timestep and picture equally often, and all of them compared."""

import numpy as np
import pytest
from owf.core.plan.screening.block_design import block_design


@pytest.mark.parametrize(
    ("rows", "timesteps", "pictures"),
    [(1, 4, 8), (2, 8, 8), (4, 8, 8), (4, 8, 6), (2, 6, 5), (8, 8, 8), (32, 8, 8), (32, 8, 3)],
)
def test_all_is_balanced_over_whole_rounds(rows, timesteps, pictures):
    concepts = (timesteps // min(rows, timesteps)) ** 2 * pictures
    cells = block_design(concepts, rows, timesteps, pictures, seed=1)
    together = np.zeros((timesteps, pictures), int)
    np.add.at(together, (cells.timestep, cells.picture), 1)
    assert (together == concepts * rows // (timesteps * pictures)).all()


@pytest.mark.parametrize("rows", [2, 4, 8])
@pytest.mark.parametrize("concepts", [7, 110, 2553])
def test_a_round_that_ends_early_is_nearly_balanced(concepts, rows):
    cells = block_design(concepts, rows, 8, 8, seed=0)
    assert np.ptp(np.bincount(cells.timestep.ravel(), minlength=8)) <= 1
    # First pictures go round one by one, and jump once a whole round; each of the rows sees them shifted.
    assert np.ptp(np.bincount(cells.picture.ravel(), minlength=8)) <= 2 * rows


def test_a_concept_sees_every_band_and_no_picture_twice():
    cells = block_design(50, 4, 8, 8, seed=3)
    assert (cells.timestep // 2 == np.arange(4)).all()
    assert all(len(set(row)) == 4 for row in cells.picture.tolist())


@pytest.mark.parametrize(("concepts", "rows"), [(48, 2), (24, 4), (3, 8), (1, 32)])
def test_timesteps_and_pictures_can_be_compared_within_concepts(concepts, rows):
    cells = block_design(concepts, rows, 8, 8, seed=2)
    columns = np.concatenate([np.eye(8)[cells.timestep], np.eye(8)[cells.picture]], axis=2)
    within = (columns - columns.mean(1, keepdims=True)).reshape(-1, 16)
    assert np.linalg.matrix_rank(within) == 14


def test_the_seed_decides_who_gets_what_and_nothing_else():
    first, again, other = (block_design(99, 2, 8, 8, seed) for seed in (0, 0, 1))
    assert (first.timestep == again.timestep).all() and (first.picture == again.picture).all()
    assert (first.timestep != other.timestep).any()
    assert sorted(map(tuple, first.timestep.tolist())) == sorted(map(tuple, other.timestep.tolist()))


def test_what_cannot_be_balanced_is_refused():
    for rows, timesteps, pictures in ((3, 8, 8), (4, 8, 0), (0, 8, 8), (12, 8, 8)):
        with pytest.raises(ValueError, match="balanced"):
            block_design(10, rows, timesteps, pictures, 0)
