"""A base whose linear layers are rounded to few bits: off by its rounding and no more, and a LoRA beside it."""

import subprocess
import sys

import pytest
import torch
from owf.core.adapter import read_adapter
from owf.core.adapter.change.weights import read_weight, weight_shape
from owf.core.audit.change import AdapterChange
from owf.core.errors import UsageError
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.base import BaseChoice, load_base
from owf.core.model.diffusion.batch import default_batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.memory import AS_LOADED, Keeping
from tiny_sd import tiny_parts, write_tiny_lora

CPU, INT8, NF4 = torch.device("cpu"), Keeping(quantize="int8"), Keeping(quantize="nf4")
LIBRARIES = {INT8: "torchao", NF4: "bitsandbytes"}
LAYER = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"


def kept(keeping):
    denoiser = DiffusersDenoiser(tiny_parts(), "tiny", "demo")
    denoiser.keep(CPU, keeping)
    return denoiser


@pytest.fixture(params=[INT8, NF4], ids=lambda keeping: keeping.quantize)
def keeping(request):
    pytest.importorskip(LIBRARIES[request.param])
    return request.param


@pytest.fixture
def rounded(keeping):
    return kept(keeping)


def prediction(denoiser):
    cond = denoiser.encode_text(["a bag", "a coat"])
    return denoiser.predict(gaussian((2, 4, 8, 8), 0, "x"), torch.tensor([5, 500]), cond)


@pytest.mark.parametrize(("keeping", "module"), [(INT8, "torchao.quantization"), (NF4, "bitsandbytes.nn")])
def test_without_the_library_the_error_names_it(monkeypatch, keeping, module):
    denoiser = DiffusersDenoiser(tiny_parts(), "tiny", "demo")  # diffusers itself looks for torchao when it is imported
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match="needs another package") as caught:
        denoiser.keep(CPU, keeping)
    assert [setting.name for setting in caught.value.settings] == ["install"]


@pytest.mark.parametrize("library", ["torchao.quantization", "bitsandbytes.nn"])
def test_commands_keep_what_the_libraries_say_to_developers_to_themselves(library):
    pytest.importorskip(library.partition(".")[0])
    code = f"from owf.cli.command import quiet_libraries; quiet_libraries(); import {library}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_library_is_looked_for_before_weights_are_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    nowhere = BaseChoice("a folder that is not there", "folder")
    with pytest.raises(UsageError, match="needs another package"):
        load_base(nowhere, CPU, torch.float32, offline=True, keeping=INT8)


def half_a_step(exact, keeping):
    """Return how far a weight of either rounding may be off."""
    if keeping == INT8:
        return 0.51 * exact.abs().amax(dim=1, keepdim=True) / 127  # of each output
    # Of 64 in a row; the widest gap of NF4's sixteen numbers (Dettmers et al. 2023, appendix E) is from -1 to -0.696.
    largest = exact.flatten().reshape(-1, 64).abs().amax(dim=1, keepdim=True)
    return (1.02 * (1 - 0.6961) / 2 * largest).expand(-1, 64).reshape(exact.shape)  # scales are rounded too


def test_weights_are_off_by_half_a_step(rounded, keeping):
    plain = kept(AS_LOADED)
    exact = plain.components["unet"].get_parameter(f"{LAYER}.weight")
    layer = rounded.components["unet"].get_submodule(LAYER)
    found = read_weight(layer)
    assert weight_shape(layer) == tuple(exact.shape)
    assert ((found - exact).abs() <= half_a_step(exact, keeping)).all()
    assert not torch.equal(found, exact)
    assert rounded.digest() != plain.digest()
    assert rounded.host == {"base kept": f"{keeping.quantize} weights"}


def test_a_layer_computes_with_what_is_read(rounded):
    layer = rounded.components["unet"].get_submodule(LAYER)
    x = gaussian((3, 5, layer.in_features), 0, "x")
    with torch.no_grad():
        computed = layer(x)
    assert torch.allclose(computed, torch.nn.functional.linear(x, read_weight(layer), layer.bias), atol=1e-5)


def test_parts_of_a_rounded_base_take_turns(rounded, keeping):
    assert torch.equal(prediction(kept(Keeping("model", keeping.quantize))), prediction(rounded))


def test_layers_of_eight_bits_come_one_by_one_for_every_slice():
    pytest.importorskip(LIBRARIES[INT8])
    plain, away = kept(INT8), kept(Keeping("group", "int8"))
    cond, x, t = away.encode_text([""] * 40), gaussian((40, 4, 8, 8), 0, "x"), torch.full((40,), 500)
    batch = default_batching(away, takes_turns=True)
    batch.size = 4
    found = batch.run(40, lambda rows: away.predict(x[rows], t[rows], cond.rows(range(rows.start, rows.stop))))
    assert torch.allclose(torch.cat(found), plain.predict(x, t, cond), atol=1e-5)


def test_layers_of_four_bits_cannot_wait_one_by_one():
    with pytest.raises(UsageError, match="one by one") as caught:
        Keeping("group", "nf4")
    assert [(s.name, s.value) for s in caught.value.settings] == [("offload", "model"), ("quantize", "int8")]


def unrounded(rounded):
    """Return a plain base with the weights that a rounded one computes with."""
    plain = kept(AS_LOADED)
    for name, model in plain.components.items():
        for path, layer in model.named_modules():
            if type(layer) is torch.nn.Linear:
                layer.weight.data = read_weight(rounded.components[name].get_submodule(path)).float()
    return plain


def test_a_lora_adds_what_it_adds_to_a_plain_base_of_these_weights(rounded, keeping, tmp_path):
    adapter, found = read_adapter(write_tiny_lora(tmp_path / "a.safetensors")), []
    for denoiser, way in ((unrounded(rounded), AS_LOADED), (rounded, keeping)):
        before = prediction(denoiser)
        change = AdapterChange(denoiser.components, adapter, 1.0, way)
        assert change.refusal() is None
        change.on()
        found.append((before, prediction(denoiser)))
        change.off()
        assert torch.equal(prediction(denoiser), before)
    (plain, plain_moved), (before, moved) = found
    assert (before - plain).norm() < 1e-4 * plain.norm()
    assert (moved - plain_moved).norm() < 1e-4 * (plain_moved - plain).norm()


def test_predictions_are_off_by_the_rounding(rounded, keeping):
    plain, off = prediction(kept(AS_LOADED)), {INT8: 0.05, NF4: 0.3}[keeping]
    # A hundredth of a weight with 8 bits, a tenth with 4.
    assert 1e-4 < (prediction(rounded) - plain).norm() / plain.norm() < off


def test_dora_reads_the_rounded_weight(rounded, keeping, tmp_path):
    from safetensors.torch import load_file, save_file

    path = write_tiny_lora(tmp_path / "a.safetensors")
    tensors = load_file(path)
    for name in [n for n in tensors if n.endswith("lora_up.weight")]:
        tensors[name.replace("lora_up.weight", "dora_scale")] = torch.ones(len(tensors[name]), 1)
    save_file(tensors, path)
    change = AdapterChange(rounded.components, read_adapter(path), 1.0, keeping)
    before = prediction(rounded)
    change.on()
    assert not torch.equal(prediction(rounded), before)
    change.off()
    assert torch.equal(prediction(rounded), before)
