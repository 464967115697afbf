"""Claim: what a file says of a layer of the original code is done to the layers that it is here, by every algorithm.

Expected weights are worked out by hand on the one matrix, from the formulas of the papers, and then cut.
"""

import pytest
import torch
from owf.core.adapter import applied, match, read_adapter
from owf.core.adapter.apply.beside import Beside
from owf.core.adapter.apply.switch import prepare
from safetensors.torch import save_file
from tiny_anima import anima_parts
from tiny_flows import flux_parts, klein_parts, krea2_parts, qwen_image_parts, z_image_parts

FLUX_QKV = [f"transformer_blocks.1.attn.to_{part}" for part in "qkv"]
CASES = {
    "flux image": (flux_parts, "double_blocks.1.img_attn.qkv", FLUX_QKV),
    "flux text": (
        flux_parts,
        "double_blocks.1.txt_attn.qkv",
        [f"transformer_blocks.1.attn.add_{part}_proj" for part in "qkv"],
    ),
    "flux single": (
        flux_parts,
        "single_blocks.0.linear1",
        [
            *(f"single_transformer_blocks.0.attn.to_{part}" for part in "qkv"),
            "single_transformer_blocks.0.proj_mlp",
        ],
    ),
    "flux one to one": (flux_parts, "double_blocks.0.img_mlp.2", ["transformer_blocks.0.ff.net.2"]),
    "klein": (
        klein_parts,
        "double_blocks.1.txt_attn.qkv",
        [f"transformer_blocks.1.attn.add_{part}_proj" for part in "qkv"],
    ),
    "klein as diffusers fuses it": (
        klein_parts,
        "transformer_blocks.0.attn.to_qkv",
        [f"transformer_blocks.0.attn.to_{part}" for part in "qkv"],
    ),
    "klein single": (
        klein_parts,
        "single_blocks.1.linear1",
        ["single_transformer_blocks.1.attn.to_qkv_mlp_proj"],
    ),
    "Z-Image": (
        z_image_parts,
        "layers.1.attention.qkv",
        [f"layers.1.attention.to_{part}" for part in "qkv"],
    ),
    "Krea 2": (krea2_parts, "blocks.1.attn.wk", ["transformer_blocks.1.attn.to_k"]),
    "Krea 2 first": (krea2_parts, "first", ["img_in"]),
    "Krea 2 text": (krea2_parts, "txtfusion.refiner_blocks.0.mlp.down", ["text_fusion.refiner_blocks.0.ff.down"]),
    "Qwen-Image": (
        qwen_image_parts,
        "transformer_blocks.1.attn.add_k_proj",
        ["transformer_blocks.1.attn.add_k_proj"],
    ),
    "Anima": (anima_parts, "blocks.1.adaln_modulation_mlp.2", ["transformer_blocks.1.norm3.linear_2"]),
    "without the number of a list": (
        krea2_parts,
        "transformer_blocks.0.attn.to_out",
        ["transformer_blocks.0.attn.to_out.0"],
    ),
    "Z-Image refiner": (z_image_parts, "noise_refiner.0.attention.out", ["noise_refiner.0.attention.to_out.0"]),
}
MADE = {}


@pytest.fixture(params=CASES)
def layer(request):
    """A live transformer, the original name of a layer, and the live layers that it is."""
    make, original, live = CASES[request.param]
    if make not in MADE:
        MADE[make] = make().transformer
    return MADE[make], original, [MADE[make].get_submodule(name) for name in live]


def _random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.3


def _lora(weight):
    out, inputs = weight.shape
    down, up = _random(4, inputs), _random(out, 4, seed=1)
    tensors = {"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(2.0)}
    return tensors, weight + 0.5 * up @ down


def _dora_by_output(weight):
    tensors, moved = _lora(weight)
    magnitudes = _random(len(weight), 1, seed=2).abs() + 0.5
    return {**tensors, "dora_scale": magnitudes}, magnitudes * moved / moved.norm(dim=1, keepdim=True)


def _dora_by_input(weight):
    """Each column's norm is over all rows of the one matrix, those of the other layers too."""
    tensors, moved = _lora(weight)
    magnitudes = _random(1, weight.shape[1], seed=2).abs() + 0.5
    return {**tensors, "dora_scale": magnitudes}, magnitudes * moved / moved.norm(dim=0, keepdim=True)


def _lokr(weight):
    """Factors that no third of the rows is a Kronecker product of: 2 rows of blocks, cut into three."""
    out, inputs = weight.shape
    first, second = _random(2, 2), _random(out // 2, inputs // 2, seed=1)
    return {"lokr_w1": first, "lokr_w2": second}, weight + torch.kron(first, second)


def _loha(weight):
    out, inputs = weight.shape
    a, b, c, d = (_random(*shape, seed=i) for i, shape in enumerate([(out, 2), (2, inputs)] * 2))
    return {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d}, weight + (a @ b) * (c @ d)


def _full(weight):
    change = _random(*weight.shape)
    return {"diff": change}, weight + change


ALGORITHMS = {
    "lora": _lora,
    "dora by output": _dora_by_output,
    "dora by input": _dora_by_input,
    "lokr": _lokr,
    "loha": _loha,
    "full": _full,
}
STEMS = {
    "kohya": lambda name: f"lora_unet_{name.replace('.', '_')}",
    "comfy": lambda name: f"diffusion_model.{name}",
    "bare": lambda name: name,
}


def _file(tmp_path, stem, tensors):
    save_file({f"{stem}.{slot}": tensor.contiguous() for slot, tensor in tensors.items()}, tmp_path / "x.safetensors")
    return read_adapter(tmp_path / "x.safetensors")


@pytest.mark.parametrize("program", STEMS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_one_matrix_is_changed_as_a_whole(layer, algorithm, program, tmp_path):
    transformer, original, live = layer
    before = [part.weight for part in live]
    tensors, expected = ALGORITHMS[algorithm](torch.cat(before))
    adapter = _file(tmp_path, STEMS[program](original), tensors)
    with applied({"transformer": transformer}, adapter) as report:
        assert report.problems == () and report.matched == len(live)
        assert report.takes_effect.tensors == len(tensors) and report.takes_effect.byte_share == 1
        found = torch.cat([part.weight for part in live])
        # Products of rank 4 in float32, summed in another order; DoRA divides by a norm that has 1e-7 added.
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=2e-5)
    assert all(part.weight is weight for part, weight in zip(live, before, strict=True))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_beside_the_weights_outputs_are_the_same(layer, algorithm, tmp_path):
    transformer, original, live = layer
    tensors, _ = ALGORITHMS[algorithm](torch.cat([part.weight for part in live]))
    adapter = _file(tmp_path, STEMS["comfy"](original), tensors)
    x = _random(5, live[0].in_features, seed=9)
    with applied({"transformer": transformer}, adapter):
        expected = [part(x) for part in live]
    beside = Beside({"transformer": transformer}, adapter)
    beside.on()
    found = [part(x) for part in live]
    beside.off()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_strength_0_is_the_base_bit_for_bit(layer, tmp_path):
    transformer, original, live = layer
    before = [part.weight for part in live]
    adapter = _file(tmp_path, STEMS["kohya"](original), _dora_by_output(torch.cat(before))[0])
    switch = prepare({"transformer": transformer}, adapter)
    switch.on(0.0)
    assert all(part.weight is weight for part, weight in zip(live, before, strict=True))
    switch.on()
    assert not any(torch.equal(part.weight, weight) for part, weight in zip(live, before, strict=True))
    switch.off()
    assert all(part.weight is weight for part, weight in zip(live, before, strict=True))


@pytest.mark.parametrize("make", [flux_parts, klein_parts])
def test_the_last_modulation_has_its_halves_the_other_way_round(make, tmp_path):
    transformer = make().transformer
    layer = transformer.norm_out.linear
    shift, scale = torch.full((32, 32), 1.0), torch.full((32, 32), 2.0)
    adapter = _file(tmp_path, "diffusion_model.final_layer.adaLN_modulation.1", {"diff": torch.cat([shift, scale])})
    before = layer.weight.clone()
    with applied({"transformer": transformer}, adapter) as report:
        assert report.problems == () and report.matched == 1
        # diffusers' layer gives the scale first, the original one the shift
        torch.testing.assert_close(layer.weight - before, torch.cat([scale, shift]), atol=1e-6, rtol=0)


def test_a_bias_is_cut_as_the_weight_is(tmp_path):
    transformer = flux_parts().transformer
    live = [transformer.get_submodule(name) for name in FLUX_QKV]
    before, change = torch.cat([part.bias for part in live]), _random(96)
    adapter = _file(
        tmp_path, "lora_unet_double_blocks_1_img_attn_qkv", {"diff_b": change, **_full(torch.zeros(96, 32))[0]}
    )
    with applied({"transformer": transformer}, adapter) as report:
        assert report.problems == ()
        torch.testing.assert_close(torch.cat([part.bias for part in live]), before + change)


def test_a_layer_and_its_parts_in_one_file_are_refused(tmp_path):
    transformer = z_image_parts().transformer
    whole, _ = _lora(torch.zeros(96, 32))
    part, _ = _lora(torch.zeros(32, 32))
    tensors = {f"diffusion_model.layers.0.attention.qkv.{slot}": tensor for slot, tensor in whole.items()}
    tensors |= {f"diffusion_model.layers.0.attention.to_q.{slot}": tensor for slot, tensor in part.items()}
    save_file(tensors, tmp_path / "x.safetensors")
    problems = match(read_adapter(tmp_path / "x.safetensors"), {"transformer": transformer}).problems
    assert any("another module of the file changes the same layer" in problem for problem in problems)


def test_a_matrix_of_another_size_is_refused(tmp_path):
    transformer = flux_parts().transformer
    adapter = _file(tmp_path, "lora_unet_double_blocks_0_img_attn_qkv", _lora(torch.zeros(95, 32))[0])
    assert match(adapter, {"transformer": transformer}).problems


CONVERTERS = {
    "flux": (flux_parts, "FluxLoraLoaderMixin"),
    "klein": (klein_parts, "Flux2LoraLoaderMixin"),
    "z_image": (z_image_parts, "ZImageLoraLoaderMixin"),
}


NOT_CONVERTED = ("norm", "_lora", "to_qkv", "added_qkv", "qkv.", "single_blocks.0.qkv", "single_blocks.0.proj")
"""What stands in names of layers that diffusers' converters leave out, or that are dialects of their own."""


@pytest.mark.parametrize("family", CONVERTERS)
def test_plain_lora_is_what_diffusers_converter_makes_of_it(family, tmp_path):
    """Every layer of a block that the family knows by its original name and diffusers converts, in one file."""
    from diffusers.loaders import lora_pipeline
    from owf.core.families import Layers, layers_of

    make, mixin = CONVERTERS[family]
    transformer = make().transformer
    live = {name.replace(".", "_"): part for name, part in transformer.named_modules() if hasattr(part, "weight")}
    tensors = {}
    for layer in layers_of(type(transformer).__name__):
        original = layer.original.replace("{n}", "0")
        parts = [live.get(part.path) for part in Layers([layer]).parts(original.replace(".", "_"))]
        # Of FLUX.1's single blocks diffusers converts those of the true width only.
        is_wide = family == "flux" and "linear1" in original
        if "{n}" not in layer.original or None in parts or is_wide or any(word in original for word in NOT_CONVERTED):
            continue
        out, inputs = sum(part.weight.shape[0] for part in parts), parts[0].weight.shape[1]
        stem = f"lora_unet_{original.replace('.', '_')}"
        tensors[f"{stem}.lora_down.weight"] = _random(4, inputs, seed=len(tensors))
        tensors[f"{stem}.lora_up.weight"] = _random(out, 4, seed=len(tensors) + 1)
        tensors[f"{stem}.alpha"] = torch.tensor(2.0)
    save_file(tensors, tmp_path / "x.safetensors")
    state = getattr(lora_pipeline, mixin).lora_state_dict(dict(tensors))
    state = state[0] if isinstance(state, tuple) else state
    stems = {name.removesuffix(".lora_A.weight") for name in state if name.endswith(".lora_A.weight")}
    before = {stem: transformer.get_submodule(stem.removeprefix("transformer.")).weight.clone() for stem in stems}
    with applied({"transformer": transformer}, read_adapter(tmp_path / "x.safetensors")) as report:
        assert report.problems == () and report.matched == len(stems)
        for stem in stems:
            change = state[f"{stem}.lora_B.weight"] @ state[f"{stem}.lora_A.weight"]
            found = transformer.get_submodule(stem.removeprefix("transformer.")).weight - before[stem]
            torch.testing.assert_close(found, change, atol=1e-5, rtol=1e-5)
