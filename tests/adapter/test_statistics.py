"""Claim: statistics equal their closed forms and name what learnt nothing."""

import pytest
import torch
from owf.core.adapter import match, read_adapter
from owf.core.adapter.statistics import (
    block_statistics,
    dead_modules,
    effective_rank,
    module_statistics,
    singular_values,
)
from safetensors.torch import save_file


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (1, 4)])
def test_singular_values(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    # the Gram matrix halves the digits: 1e-8 of the largest in float64
    assert torch.allclose(singular_values(matrix), torch.linalg.svdvals(matrix.double()), atol=1e-7)


def test_effective_rank_of_equal_values_is_their_number():
    assert effective_rank(torch.ones(7)) == pytest.approx(7)
    assert effective_rank(torch.tensor([1.0, 0.0])) == pytest.approx(1)
    assert effective_rank(torch.zeros(3)) == 0


def test_modules_blocks_and_dead_ones(base, kohya_tensors, tmp_path):
    tensors = kohya_tensors(rank=3)
    dead = next(key for key in tensors if key.endswith("up.weight"))
    tensors[dead] = torch.zeros_like(tensors[dead])
    save_file(tensors, tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    modules = module_statistics(adapter, base.components)
    report = match(adapter, base.components)
    assert len(modules) == report.matched
    assert torch.tensor([module.change for module in modules]).norm() == pytest.approx(report.delta_norm, rel=1e-5)
    assert len(dead_modules(modules)) == 1
    for module in modules:
        assert module.effective_rank <= 3.01
        assert all(value < 1e-3 * (module.spectrum[0] or 1) for value in module.spectrum[3:])
    blocks = block_statistics(modules)
    assert sum(block.modules for block in blocks) == len(modules)
    titles = list(dict.fromkeys(block.block.title for block in blocks if block.block.component == "unet"))
    assert titles == ["down 0", "down 1", "down 2", "mid", "up 1", "up 2", "up 3"]
