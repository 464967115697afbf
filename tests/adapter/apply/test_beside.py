"""Claim: an adapter beside the weights gives what the merged one gives, but for rounding; off is the base itself."""

import copy

import pytest
import torch
from owf.core.adapter import applied, read_adapter, stacked
from owf.core.adapter.apply.beside import AllBeside, Beside, function_of
from owf.core.errors import AdapterError
from safetensors.torch import save_file

ALGORITHMS = [
    ("locon", {}),
    ("locon", {"use_tucker": True}),
    ("locon", {"weight_decompose": True}),
    ("locon", {"train_norm": True}),
    ("loha", {}),
    ("lokr", {"factor": 4, "lora_dim": 2, "conv_lora_dim": 2}),
    ("ia3", {}),
    ("diag-oft", {}),
    ("boft", {}),
]
ROUNDING = 1e-4
"""Sums of at most some hundred float32 products in another order, through two dozen layers: as much as files of other
programs are held to."""


def same(one, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def hooks(base) -> int:
    return sum(len(m._forward_hooks) for root in base.components.values() for m in root.modules())


@pytest.mark.parametrize("strength", [1.0, -0.3])
@pytest.mark.parametrize(("algo", "settings"), ALGORITHMS)
def test_every_algorithm_gives_what_merging_gives(
    algo, settings, strength, small_base, lycoris_file, largest_difference
):
    adapter = read_adapter(lycoris_file(algo, **settings).path)
    before = small_base.outputs()
    with applied(small_base.components, adapter, strength) as report:
        wanted = small_base.outputs()
    beside = Beside(small_base.components, adapter)
    beside.on(strength)
    found = small_base.outputs()
    beside.off()
    assert beside.report == report
    assert largest_difference(found, wanted) < ROUNDING
    assert largest_difference(found, before) > 1e-3, "the test file must change something"
    assert same(small_base.outputs(), before)


def test_several_add_up_as_merged_ones_do(small_base, lycoris_file, largest_difference):
    adapters = [read_adapter(lycoris_file(algo).path) for algo in ("locon", "loha")]
    before = small_base.outputs()
    with stacked(small_base.components, adapters, (1.0, -0.5)):
        wanted = small_base.outputs()
    beside = AllBeside(small_base.components, adapters)
    beside.on(1.0, -0.5)
    found = small_base.outputs()
    beside.off()
    assert largest_difference(found, wanted) < ROUNDING
    assert same(small_base.outputs(), before) and hooks(small_base) == 0


def test_off_and_strength_0_are_the_base_itself(base, kohya_tensors, tmp_path):
    save_file(kohya_tensors(), tmp_path / "x.safetensors")
    parameters, outputs = base.parameters(), base.outputs()
    beside = Beside(base.components, read_adapter(tmp_path / "x.safetensors"))
    beside.on(1.0)
    assert all(base.parameters()[key] is parameter for key, parameter in parameters.items())
    assert not same(base.outputs(), outputs)
    beside.on(0.0)
    assert hooks(base) == 0
    assert same(base.outputs(), outputs)
    beside.on(0.5)
    beside.off()
    beside.off()
    assert hooks(base) == 0
    assert same(base.outputs(), outputs)


def test_half_precision_differs_by_its_rounding(small_base, lycoris_file):
    """Hosts add in the layer's type: in bfloat16 each sum is off by a 256th at most, merged or beside."""
    adapter = read_adapter(lycoris_file("locon").path)
    with applied(small_base.components, adapter):
        exact = small_base.components["text_encoder"](torch.arange(16)[None])[0]
    encoder = copy.deepcopy(small_base.components["text_encoder"]).to(torch.bfloat16)
    Beside({"text_encoder": encoder, "unet": copy.deepcopy(small_base.components["unet"])}, adapter).on()
    found = encoder(torch.arange(16)[None])[0]
    assert found.dtype == torch.bfloat16
    # Hidden states are normalised, so of size 1; three layers of some roundings each.
    assert (found.float() - exact).abs().max() < 16 / 256


class Twice(torch.nn.Module):
    """A layer of a class that nothing is known of."""

    def __init__(self, inner: torch.nn.Linear):
        super().__init__()
        self.weight, self.bias = inner.weight, inner.bias

    def forward(self, x):
        return torch.nn.functional.linear(x, self.weight, self.bias)


def test_a_layer_of_an_unknown_class_is_refused_by_name(base, kohya_tensors, text_level, tmp_path):
    save_file(kohya_tensors(), tmp_path / "x.safetensors")
    block = text_level(base.components["text_encoder"]).get_submodule("encoder.layers.0.mlp")
    kept, block.fc1 = block.fc1, Twice(block.fc1)
    try:
        with pytest.raises(AdapterError, match=r"layers_0_mlp_fc1 changes a Twice, beside which nothing can be added"):
            Beside(base.components, read_adapter(tmp_path / "x.safetensors"))
    finally:
        block.fc1 = kept


def test_layers_that_are_never_asked_themselves_are_unknown():
    attention = torch.nn.MultiheadAttention(4, 2)
    assert function_of(attention.out_proj) is None
    assert function_of(torch.nn.Conv2d(2, 2, 3, padding_mode="circular", padding=1)) is None
