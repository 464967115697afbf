"""Claim: off is the base itself, bit for bit, whatever happened; strengths and stacks add up."""

import pytest
import torch
from owf.core.adapter import applied, prepare, read_adapter, stacked
from owf.core.errors import AdapterError, UsageError
from safetensors.torch import save_file


@pytest.fixture
def adapters(base, kohya_tensors, tmp_path):
    for seed in (0, 1):
        save_file(kohya_tensors(seed=seed), tmp_path / f"{seed}.safetensors")
    return [read_adapter(tmp_path / f"{seed}.safetensors") for seed in (0, 1)]


def _identities(base):
    return {key: (id(parameter), parameter._version) for key, parameter in base.parameters().items()}


def test_off_restores_the_very_same_parameters(base, adapters):
    before, outputs = _identities(base), base.outputs()
    for strength in (1.0, -0.5, 3.0):
        with applied(base.components, adapters[0], strength):
            assert _identities(base) != before
    assert _identities(base) == before
    assert all(torch.equal(one, other) for one, other in zip(base.outputs(), outputs, strict=True))


def test_exceptions_restore_too(base, adapters):
    before = _identities(base)
    with pytest.raises(KeyError), applied(base.components, adapters[0]):
        raise KeyError
    assert _identities(base) == before


def test_strength_zero_is_the_base(base, adapters):
    before = _identities(base)
    with applied(base.components, adapters[0], 0.0) as report:
        assert _identities(base) == before
        assert report.matched > 0


def test_strength_is_linear_in_the_weights(base, adapters):
    name = ("unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight")
    weight = base.parameters()[name].detach().clone()
    switch = prepare(base.components, adapters[0])
    seen = {}
    for strength in (1.0, 0.25):
        switch.on(strength)
        seen[strength] = base.parameters()[name].detach() - weight
    switch.off()
    # two float32 additions on weights below 1: rounding of at most 2^-23 each
    assert torch.allclose(seen[0.25], 0.25 * seen[1.0], atol=2e-7)


def test_a_stack_is_the_sum_of_its_parts(base, adapters):
    name = ("text_encoder", next(iter(dict(base.components["text_encoder"].named_parameters()))))
    names = [key for key in base.parameters() if key[1].endswith("to_v.weight")] + [name]
    weights = {key: base.parameters()[key].detach().clone() for key in names}
    parts = []
    for adapter, strength in zip(adapters, (0.5, -1.5), strict=True):
        with applied(base.components, adapter, strength):
            parts.append({key: base.parameters()[key].detach() - weights[key] for key in names})
    with stacked(base.components, adapters, (0.5, -1.5)) as reports:
        assert len(reports) == 2
        for key in names:
            change = base.parameters()[key].detach() - weights[key]
            assert torch.allclose(change, parts[0][key] + parts[1][key], atol=5e-7)


def test_one_strength_per_adapter(base, adapters):
    with pytest.raises(UsageError, match="2 adapters"):
        prepare(base.components, *adapters).on(1.0)


def test_adapters_in_turn_never_reload_the_base(base, adapters):
    before = _identities(base)
    switches = [prepare(base.components, adapter) for adapter in adapters]
    for _ in range(3):
        for switch in switches:
            switch.on()
            assert _identities(base) != before
            switch.off()
            assert _identities(base) == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_bases_keep_their_type(dtype, kohya_tensors, base, tmp_path):
    import copy

    save_file(kohya_tensors(), tmp_path / "x.safetensors")
    components = {name: copy.deepcopy(module).to(dtype) for name, module in base.components.items()}
    linear = components["unet"].mid_block.attentions[0].transformer_blocks[0].attn1.to_q
    full = base.components["unet"].mid_block.attentions[0].transformer_blocks[0].attn1.to_q
    adapter = read_adapter(tmp_path / "x.safetensors")
    with applied(base.components, adapter):
        wanted = full.weight.detach().clone()
    with applied(components, adapter):
        assert linear.weight.dtype == dtype
        # one rounding of the base and one of the sum, each half a unit in the last place
        assert torch.allclose(linear.weight.float(), wanted, rtol=2 * torch.finfo(dtype).eps, atol=1e-3)


def test_overflow_of_half_precision_is_refused(base, kohya_tensors, tmp_path):
    import copy

    save_file(kohya_tensors(alpha=1e9), tmp_path / "x.safetensors")
    components = {name: copy.deepcopy(module).half() for name, module in base.components.items()}
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert any("beyond" in warning for warning in adapter.warnings)
    with pytest.raises(AdapterError, match="NaN or infinity"), applied(components, adapter):
        pass


def test_fake_tensors_keep_device_and_shape(base, kohya_tensors, tmp_path):
    from fake_cuda import require_fake_cuda
    from torch._subclasses.fake_tensor import FakeTensorMode

    require_fake_cuda()
    save_file(kohya_tensors(), tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    with FakeTensorMode():
        linear = torch.nn.Linear(32, 32, bias=False, device="cuda", dtype=torch.float16)
        root = torch.nn.ModuleDict({"attn1": torch.nn.ModuleDict({"to_q": linear})})
        tree = root
        for name in ("0", "transformer_blocks", "0", "attentions", "mid_block"):
            tree = torch.nn.ModuleDict({name: tree})
        with applied({"unet": tree}, adapter) as report:
            assert report.matched == 1
            assert linear.weight.device.type == "cuda"
            assert linear.weight.dtype == torch.float16
