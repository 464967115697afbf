"""Claim: the on-the-fly mode equals the swapped weights bit for bit and leaves nothing behind."""

import pytest
import torch
from owf.core.adapter import applied, applied_on_the_fly, read_adapter
from safetensors.torch import save_file


@pytest.mark.parametrize("strength", [1.0, 0.3, 0.0])
def test_it_equals_swapping(strength, base, kohya_tensors, tmp_path):
    save_file(kohya_tensors(), tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    before = base.parameters()
    with applied(base.components, adapter, strength) as wanted_report:
        wanted = base.outputs()
    with applied_on_the_fly(base.components, adapter, strength) as report:
        assert all(base.parameters()[key] is parameter for key, parameter in before.items())
        found = base.outputs()
    assert report == wanted_report
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
    assert all(base.parameters()[key] is parameter for key, parameter in before.items())
    assert not any(module._forward_hooks for module in base.components["unet"].modules())


def test_an_exception_inside_a_layer_restores_it(base, kohya_tensors, text_level, tmp_path):
    save_file(kohya_tensors(), tmp_path / "x.safetensors")
    before = base.parameters()
    layer = text_level(base.components["text_encoder"]).get_submodule("encoder.layers.0.mlp.fc1")
    with applied_on_the_fly(base.components, read_adapter(tmp_path / "x.safetensors")):
        with pytest.raises(RuntimeError):
            layer(torch.ones(1, 3))
        assert all(base.parameters()[key] is parameter for key, parameter in before.items())
