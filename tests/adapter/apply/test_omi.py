"""Claim: LoRA files in OMI's names mean what OneTrainer trained: where halves are exchanged, those of `up` alone are.

Expected weights are worked out by hand in diffusers' order, and each file is written as OneTrainer's converter did.
"""

import pytest
import torch
from owf.core.adapter import applied, match, read_adapter
from owf.core.adapter.apply.beside import Beside
from safetensors.torch import save_file
from tiny_flows import flux_parts

LAYER = "final_layer.adaLN_modulation.1"
OMI = f"transformer.{LAYER}"
LATER = (f"diffusion_model.{LAYER}", LAYER, "lora_unet_final_layer_adaLN_modulation_1")
"""What OneTrainer calls the layer since: ComfyUI's names, the original code's, kohya's."""


@pytest.fixture(scope="module")
def transformer():
    return flux_parts().transformer


def _random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.3


def _exchanged(tensor):
    return torch.cat(tensor.chunk(2)[::-1])


def _lora(weight):
    out, inputs = weight.shape
    down, up = _random(3, inputs), _random(out, 3, seed=1)
    return {"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(1.5)}, weight + 0.5 * up @ down


def _dora_by_output(weight):
    tensors, moved = _lora(weight)
    magnitudes = _random(len(weight), 1, seed=2).abs() + 0.5
    return {**tensors, "dora_scale": magnitudes}, magnitudes * moved / moved.norm(dim=1, keepdim=True)


def _dora_by_input(weight):
    tensors, moved = _lora(weight)
    magnitudes = _random(1, weight.shape[1], seed=2).abs() + 0.5
    return {**tensors, "dora_scale": magnitudes}, magnitudes * moved / moved.norm(dim=0, keepdim=True)


def _loha(weight):
    out, inputs = weight.shape
    a, b, c, d = (_random(*shape, seed=i) for i, shape in enumerate([(out, 2), (2, inputs)] * 2))
    return {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d}, weight + (a @ b) * (c @ d)


ALGORITHMS = (_lora, _dora_by_output, _dora_by_input, _loha)


def _file(tmp_path, stem, tensors):
    save_file({f"{stem}.{slot}": tensor.contiguous() for slot, tensor in tensors.items()}, tmp_path / "x.safetensors")
    return read_adapter(tmp_path / "x.safetensors")


def _as_omi(tensors):
    """OneTrainer up to July 2026, `convert_to_omi`: "lora_up.weight" is exchanged and nothing else."""
    return {slot: _exchanged(tensor) if slot == "lora_up.weight" else tensor for slot, tensor in tensors.items()}


def _as_later(tensors):
    """OneTrainer since, `chunk_swap`: magnitudes too, unless they are one for each input."""
    by_output = {slot for slot in ("lora_up.weight", "dora_scale") if slot in tensors and len(tensors[slot]) > 1}
    return {slot: _exchanged(tensor) if slot in by_output else tensor for slot, tensor in tensors.items()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_last_modulation_is_what_was_trained(algorithm, transformer, tmp_path):
    layer = transformer.norm_out.linear
    before = layer.weight
    tensors, expected = algorithm(before)
    with applied({"transformer": transformer}, _file(tmp_path, OMI, _as_omi(tensors))) as report:
        assert report.problems == () and report.matched == 1
        # Products of rank 3 in float32, summed in another order; DoRA divides by a norm that has 1e-7 added.
        torch.testing.assert_close(layer.weight, expected, atol=2e-5, rtol=2e-5)
    assert layer.weight is before


@pytest.mark.parametrize("algorithm", ALGORITHMS[:3])
@pytest.mark.parametrize("stem", LATER)
def test_later_names_have_their_magnitudes_turned_too(stem, algorithm, transformer, tmp_path):
    layer = transformer.norm_out.linear
    tensors, expected = algorithm(layer.weight)
    with applied({"transformer": transformer}, _file(tmp_path, stem, _as_later(tensors))) as report:
        assert report.problems == () and report.matched == 1
        torch.testing.assert_close(layer.weight, expected, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_beside_the_weights_outputs_are_the_same(algorithm, transformer, tmp_path):
    layer = transformer.norm_out.linear
    adapter = _file(tmp_path, OMI, _as_omi(algorithm(layer.weight)[0]))
    x = _random(5, layer.in_features, seed=9)
    with applied({"transformer": transformer}, adapter):
        expected = layer(x)
    beside = Beside({"transformer": transformer}, adapter)
    beside.on()
    found = layer(x)
    beside.off()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_other_layers_under_such_names_are_as_they_stand(transformer, tmp_path):
    layer = transformer.proj_out
    tensors, expected = _dora_by_output(layer.weight)
    with applied({"transformer": transformer}, _file(tmp_path, "transformer.final_layer.linear", tensors)) as report:
        assert report.problems == ()
        torch.testing.assert_close(layer.weight, expected, atol=2e-5, rtol=2e-5)


def test_the_layer_by_both_of_its_names_is_refused(transformer, tmp_path):
    tensors, _ = _lora(transformer.norm_out.linear.weight)
    both = {
        f"{stem}.{slot}": value.clone()
        for stem in (OMI, "transformer.norm_out.linear")
        for slot, value in tensors.items()
    }
    save_file(both, tmp_path / "x.safetensors")
    problems = match(read_adapter(tmp_path / "x.safetensors"), {"transformer": transformer}).problems
    assert any("another module of the file changes the same layer" in problem for problem in problems)
