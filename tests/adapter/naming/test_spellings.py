"""Claim: one DoRA means the same whatever program spelled its names; none is read as if a part were absent."""

import re

import pytest
import torch
from owf.core.adapter import read_adapter
from owf.core.adapter.apply.match import deltas, match_modules
from owf.core.errors import AdapterError
from safetensors.torch import save_file

RANK, ALPHA = 2, 3.0


def _dotted(base):
    """Return component and dotted name, with the `text_model` level that every format has, of some layers of each."""
    for component, root in base.components.items():
        for dotted, module in root.named_modules():
            if isinstance(module, torch.nn.Linear) and re.search(r"to_[kq]$|to_out|[kq]_proj|fc1", dotted):
                text = component == "text_encoder"
                yield component, (f"text_model.{dotted.removeprefix('text_model.')}" if text else dotted), module


def _factors(module, seed):
    generator = torch.Generator().manual_seed(seed)
    out, inputs = module.weight.shape
    return {
        "A": torch.randn(RANK, inputs, generator=generator) * 0.1,
        "B": torch.randn(out, RANK, generator=generator) * 0.1,
        "m": module.weight.norm(dim=1) * (1 + 0.5 * torch.rand(out, generator=generator)),
        "alpha": torch.tensor(ALPHA),
    }


def _wanted(module, factors):
    """DoRA (Liu et al. 2024, arXiv:2402.09353): W' = m (W + s BA) / |W + s BA|, one norm for each output."""
    moved = module.weight + ALPHA / RANK * factors["B"] @ factors["A"]
    return factors["m"][:, None] * moved / moved.norm(dim=1, keepdim=True) - module.weight


def _kohya(component, dotted):
    return ("lora_te_" if component == "text_encoder" else "lora_unet_") + dotted.replace(".", "_")


def _to_omi(dotted):
    """Return a name of the original U-Net code; the small base has the first level of it alone."""
    return dotted.replace("down_blocks.0.attentions.0", "input_blocks.1.1").replace(
        "mid_block.attentions.0", "middle_block.1"
    )


ENDINGS = {
    "kohya": (".lora_down.weight", ".lora_up.weight", ".dora_scale", ".alpha"),
    "ai-toolkit": (".lora_down.weight", ".lora_up.weight", ".magnitude", ".alpha"),
    "peft": (".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector", ".alpha"),
    "peft 0.10": (".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector.weight", ".alpha"),
    "raw": (".lora_A.x_1.weight", ".lora_B.x_1.weight", ".lora_magnitude_vector.x_1.weight", ".alpha"),
    "raw, older": (".lora_A.x.weight", ".lora_B.x.weight", ".lora_magnitude_vector.x", ".alpha"),
}
STEMS = {
    "kohya": _kohya,
    "diffusers": lambda component, dotted: f"{component}.{dotted}",
    "wrapped": lambda component, dotted: f"{component}.base_model.model.{dotted}",
    "wrapped outside": lambda component, dotted: f"base_model.model.{component}.{dotted}",
    "compiled": lambda component, dotted: f"{component}._orig_mod.{dotted}",
    "compiled, kohya": lambda component, dotted: _kohya(component, f"_orig_mod.{dotted}"),
    "distributed, kohya": lambda component, dotted: _kohya(component, f"module.{dotted}"),
    "wrapped, kohya": lambda component, dotted: _kohya(component, f"base_model.model.{dotted}"),
    "omi": lambda component, dotted: f"clip_l.{dotted}" if component == "text_encoder" else f"unet.{_to_omi(dotted)}",
}


def _check(tensors, base, wanted, tmp_path):
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert not any("mixes formats" in warning for warning in adapter.warnings)
    found = {pair.owner: change.weight for pair, change in deltas(match_modules(adapter, base.components))}
    assert found.keys() == wanted.keys()
    for owner, change in wanted.items():
        # float32, values of about 1 after some ten roundings
        assert (found[owner] - change).abs().max() < 1e-5
    assert adapter.unknown == ()
    assert len({module.path for module in adapter.modules}) == len(adapter.modules)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("stem", STEMS)
def test_a_dora_means_the_same_in_every_spelling(stem, ending, small_base, tmp_path):
    tensors, wanted = {}, {}
    for seed, (component, dotted, module) in enumerate(_dotted(small_base)):
        if stem == "omi" and "up_blocks" in dotted:
            continue  # the names of these depend on the number of levels
        factors = _factors(module, seed)
        wanted[module] = _wanted(module, factors)
        names = (STEMS[stem](component, dotted) + end for end in ENDINGS[ending])
        tensors |= zip(names, (factors["A"], factors["B"], factors["m"], factors["alpha"]), strict=True)
    _check(tensors, small_base, wanted, tmp_path)


def test_magnitudes_with_dots_belong_to_factors_with_underscores(small_base, tmp_path):
    """As files look that were converted from diffusers' names to kohya's by endings alone."""
    tensors, wanted = {}, {}
    for seed, (component, dotted, module) in enumerate(_dotted(small_base)):
        factors, stem = _factors(module, seed), _kohya(component, dotted)
        wanted[module] = _wanted(module, factors)
        head, _, leaf = stem.rpartition("_to_" if component == "unet" else "_self_attn_")
        joint = ".to_" if component == "unet" else ".self_attn."
        other = f"{head}{joint}{leaf}" if head else stem
        tensors |= {f"{stem}.lora_down.weight": factors["A"], f"{stem}.lora_up.weight": factors["B"]}
        tensors |= {f"{stem}.alpha": factors["alpha"], f"{other}.lora_magnitude_vector": factors["m"]}
    _check(tensors, small_base, wanted, tmp_path)


@pytest.mark.parametrize("name", ["hada_w1_a", "hada_w2_b", "lokr_w1", "lokr_w2_a", "lokr_t2", "hada_t1"])
def test_other_methods_of_peft_have_names_of_adapters_too(name):
    from owf.core.adapter.naming.names import place

    assert place(f"unet.mid_block.attentions.0.proj_in.{name}.some_name") == place(
        f"unet.mid_block.attentions.0.proj_in.{name}"
    )


LAYER = "unet.down_blocks.0.attentions.0.proj_in"
OTHER = "unet.mid_block.attentions.0.proj_in"


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ((f"{LAYER}.lora_A.one.weight", f"{LAYER}.lora_B.two.weight"), "one, two"),
        ((f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.two.weight"), "two, one without a name"),
        ((f"{LAYER}.lora_A.one.weight", f"{LAYER}.lora_B.one.weight", f"{OTHER}.lora_A.two.weight"), "one, two"),
        ((f"{LAYER}.lora_A.one.weight", f"{LAYER}.lora_B.one.weight", f"{OTHER}.hada_w1_a"), "one, one without a name"),
        ((f"{LAYER}.lora_A.one.weight", f"{LAYER}.lora_magnitude_vector.two"), "one, two"),
        ((f"{LAYER}.lora_A.one.weight", f"{LAYER}.lora_magnitude_vector"), "one, one without a name"),
        ((f"{LAYER}.lora_A.weight", f"{LAYER}.lora_magnitude_vector.a", f"{OTHER}.lora_magnitude_vector.b"), "a, b"),
        ((f"{LAYER}.lora_A.one.weight", f"{LAYER}.lora_B.two.bias"), "one, two"),
    ],
)
def test_factors_of_several_adapters_are_none_of_them(names, listed, tmp_path):
    save_file({name: torch.ones(4, 4) for name in names}, tmp_path / "x.safetensors")
    with pytest.raises(AdapterError, match=f"adapters: {listed};"):
        read_adapter(tmp_path / "x.safetensors")


@pytest.mark.parametrize(("factors", "others"), [("", ".default"), (".x", ".x"), ("", "")])
def test_a_magnitude_may_keep_the_name_that_the_factors_lost(factors, others, small_base, tmp_path):
    layer = small_base.components["unet"].down_blocks[0].attentions[0].transformer_blocks[0].attn1.to_k
    parts, stem = _factors(layer, 1), "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k"
    tensors = {
        f"{stem}.lora_A{factors}.weight": parts["A"],
        f"{stem}.lora_B{factors}.weight": parts["B"],
        f"{stem}.lora_magnitude_vector{others}.weight": parts["m"],
        f"{stem}.alpha": parts["alpha"],
    }
    _check(tensors, small_base, {layer: _wanted(layer, parts)}, tmp_path)
