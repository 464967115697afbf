"""Batches: the same slices whatever the workers, and smaller ones when memory runs out."""

import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.diffusion import batch
from owf.core.model.diffusion.batch import Batching, batching_for


@pytest.mark.parametrize("workers", [1, 3])
def test_covers_everything_in_order(workers):
    assert Batching(4, workers).run(10, lambda rows: (rows.start, rows.stop)) == [(0, 3), (3, 6), (6, 10)]
    assert Batching(4, workers).run(0, lambda rows: rows) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_halves_when_memory_runs_out(workers):
    def work(rows: slice) -> int:
        if rows.stop - rows.start > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return rows.stop - rows.start

    batch = Batching(8, workers)
    assert batch.run(5, work) == [1, 2, 2]
    assert batch.size == 2


def test_one_row_too_many_says_what_to_do():
    def work(rows: slice) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(UsageError, match="Out of memory"):
        Batching(4).run(4, work)


def test_other_errors_pass():
    def work(rows: slice) -> None:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape"):
        Batching(4).run(4, work)


def test_slices_run_side_by_side_only_where_weights_stay(monkeypatch):
    monkeypatch.setattr(batch, "_cores", lambda: 3)
    staying, coming = (batching_for((4, 8, 8), "cpu", takes_turns=turns) for turns in (False, True))
    assert (staying.workers, coming.workers) == (3, 1)
    assert staying.size == coming.size


def test_latents_that_are_patches_are_counted_as_what_they_were_cut_from():
    """One of FLUX.2 klein's stands for four, in four times the channels: its pictures have FLUX.1's tokens."""
    klein, flux = (batching_for(shape, "cuda").size for shape in ((128, 64, 64), (16, 128, 128)))
    assert klein == flux == 4
