"""A base whose linear layers are rounded to 8 bits: off by its rounding and no more, and a LoRA beside it."""

import sys
from typing import Any, cast

import pytest
import torch
from owf.core.adapter import read_adapter
from owf.core.audit.change import AdapterChange
from owf.core.errors import UsageError
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.memory import AS_LOADED, Keeping
from tiny_sd import tiny_parts, write_tiny_lora

CPU, INT8 = torch.device("cpu"), Keeping(quantize="int8")


def kept(keeping):
    denoiser = DiffusersDenoiser(tiny_parts(), "tiny", "demo")
    denoiser.keep(CPU, keeping)
    return denoiser


@pytest.fixture
def rounded():
    pytest.importorskip("torchao")
    return kept(INT8)


def prediction(denoiser):
    cond = denoiser.encode_text(["a bag", "a coat"])
    return denoiser.predict(gaussian((2, 4, 8, 8), 0, "x"), torch.tensor([5, 500]), cond)


def test_without_the_library_the_error_names_it(monkeypatch):
    denoiser = DiffusersDenoiser(tiny_parts(), "tiny", "demo")  # diffusers itself looks for torchao when it is imported
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(UsageError, match="needs another package") as caught:
        denoiser.keep(CPU, INT8)
    assert [setting.name for setting in caught.value.settings] == ["install"]


def test_weights_are_off_by_half_a_step(rounded):
    plain = kept(AS_LOADED)
    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    exact = plain.components["unet"].get_parameter(f"{name}.weight")
    weight = cast(Any, rounded.components["unet"].get_submodule(name).weight)  # of a class of torchao's own
    found = weight.dequantize()
    step = exact.abs().amax(dim=1, keepdim=True) / 127  # of each output
    assert ((found - exact).abs() <= 0.51 * step).all()
    assert not torch.equal(found, exact)
    assert rounded.digest() != plain.digest()
    assert rounded.host == {"base kept": "int8 weights"}


def test_a_lora_adds_what_it_adds_to_the_plain_base(rounded, tmp_path):
    adapter = read_adapter(write_tiny_lora(tmp_path / "a.safetensors"))
    plain = kept(AS_LOADED)
    before, after = [], []
    for denoiser, keeping in ((plain, AS_LOADED), (rounded, INT8)):
        before.append(prediction(denoiser))
        change = AdapterChange(denoiser.components, adapter, 1.0, keeping)
        assert change.refusal() is None
        change.on()
        after.append(prediction(denoiser))
        change.off()
        assert torch.equal(prediction(denoiser), before[-1])
    moved, moved_rounded = after[0] - before[0], after[1] - before[1]
    # Each weight is off by a 254th of its row's largest at most: predictions by some percent, and their changes too.
    assert (before[1] - before[0]).norm() < 0.05 * before[0].norm()
    assert (moved_rounded - moved).norm() < 0.1 * moved.norm()


def test_dora_reads_the_rounded_weight(rounded, tmp_path):
    from safetensors.torch import load_file, save_file

    path = write_tiny_lora(tmp_path / "a.safetensors")
    tensors = load_file(path)
    for name in [n for n in tensors if n.endswith("lora_up.weight")]:
        tensors[name.replace("lora_up.weight", "dora_scale")] = torch.ones(len(tensors[name]), 1)
    save_file(tensors, path)
    change = AdapterChange(rounded.components, read_adapter(path), 1.0, INT8)
    before = prediction(rounded)
    change.on()
    assert not torch.equal(prediction(rounded), before)
    change.off()
    assert torch.equal(prediction(rounded), before)
