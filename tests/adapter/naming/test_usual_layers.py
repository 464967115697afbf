"""Claim: inspect knows the layers of the usual bases, and says of files with others what an audit would say."""

import json

import pytest
import torch
from layers import NOT_AUDITED, components_of, place_of, tables_of
from owf.core import families
from owf.core.adapter import read_adapter
from owf.core.adapter.apply.match import match_modules
from owf.core.adapter.naming.layer_tables import packed, unpacked
from owf.core.adapter.naming.usual_layers import usual_layers
from owf.core.adapter.summary import summarise
from safetensors.torch import save_file
from tiny_flows import known_class

FAMILIES = [*(family.name for family in families.audited()), *NOT_AUDITED]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_written_down_is_what_the_usual_base_has(family):
    known = families.get(family)
    for part in known.pipeline.weighted if known.pipeline is not None else ():
        if part.library == "diffusers":
            known_class(part.classes[0])
    assert json.loads(place_of(family).read_text()) == tables_of(family)


def test_layers_of_every_component_are_written_down_with_their_shapes():
    (components,) = components_of("flux").values()
    (written,) = json.loads(place_of("flux").read_text()).values()
    assert written.keys() == components.keys()
    named = dict(unpacked(written["transformer"]))
    for name, parameter in components["transformer"].named_parameters():
        if name.endswith(".weight"):
            assert named.pop(name.removesuffix(".weight")) == tuple(parameter.shape)
    assert not named


def test_rows_of_blocks_with_gaps_are_packed_in_pieces():
    layers = dict.fromkeys(
        ["blocks.0.x", "blocks.2.x", "blocks.3.x", "a.1.b.0.y", "a.1.b.1.y", "a.2.b.0.y", "z"], (2, 3)
    )
    table = packed({**layers, "a.2.b.1.y": (2, 3), "a.3.b.0.y": (4,), "blocks.1.x": (2, 4)})
    assert table == {
        "2x3": ["a.{1-2}.b.{0-1}.y", "blocks.0.x", "blocks.{2-3}.x", "z"],
        "2x4": ["blocks.1.x"],
        "4": ["a.3.b.0.y"],
    }
    assert dict(unpacked(table)) == {**layers, "a.2.b.1.y": (2, 3), "a.3.b.0.y": (4,), "blocks.1.x": (2, 4)}


def _written(path, sizes):
    """Write a LoRA of rank 1 with layers of (out, in)."""
    tensors = {}
    for name, (out, inputs) in sizes.items():
        tensors |= {f"{name}.lora_A.weight": torch.ones(1, inputs), f"{name}.lora_B.weight": torch.ones(out, 1)}
    save_file(tensors, path)
    return read_adapter(path)


def _problems(path, names, width=3840):
    sizes = {name: (width * (3 if name.endswith("qkv") else 1), width) for name in names}
    return summarise(_written(path, sizes)).problems


Z_IMAGE = [f"diffusion_model.layers.{n}.attention.{part}" for n in range(4) for part in ("to_q", "to_k", "to_v", "out")]


def test_sound_files_have_no_problem(tmp_path):
    assert _problems(tmp_path / "x.safetensors", Z_IMAGE) == ()


def test_a_file_with_misspelled_layers_is_a_problem(tmp_path):
    wrong = [name.replace("attention", "attentoin") for name in Z_IMAGE]
    (problem,) = _problems(tmp_path / "x.safetensors", [*Z_IMAGE[:8], *wrong[8:]])
    assert "16 of 32 tensors" in problem and "transformer of Z-Image has no such module" in problem


def test_a_file_of_two_families_is_a_problem(tmp_path):
    flux = [f"diffusion_model.single_blocks.{n}.linear1" for n in range(4)]
    (problem,) = _problems(tmp_path / "x.safetensors", [*Z_IMAGE, *flux])
    assert "8 of 40 tensors" in problem and "has no such module" in problem
    unet = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    (problem,) = _problems(tmp_path / "x.safetensors", [*Z_IMAGE, unet])
    assert "Z-Image has no unet" in problem


def test_blocks_beyond_the_last_have_no_place(tmp_path):
    (problem,) = _problems(tmp_path / "x.safetensors", [*Z_IMAGE, "diffusion_model.layers.30.attention.to_q"])
    assert "2 of 34 tensors" in problem


def test_a_layer_and_a_part_of_it_in_one_file_are_a_problem_as_in_an_audit(tmp_path):
    """Among many sound layers too, though both together are less than the share that may take no effect."""
    sound = {f"diffusion_model.layers.{n}.feed_forward.w{i}": (10240, 3840) for n in range(30) for i in (1, 3)}
    whole, part = "diffusion_model.layers.0.attention.qkv", "diffusion_model.layers.0.attention.to_v"
    both = {whole: (11520, 3840), part: (3840, 3840)}
    assert summarise(_written(tmp_path / "whole.safetensors", {**sound, whole: both[whole]})).problems == ()
    assert summarise(_written(tmp_path / "part.safetensors", {**sound, part: both[part]})).problems == ()
    for name, sizes in (("both", both), ("many", {**sound, **both})):
        (problem,) = summarise(_written(tmp_path / f"{name}.safetensors", sizes)).problems
        assert "another module of the file changes the same layer" in problem


def test_families_of_which_nothing_is_written_are_not_known():
    assert usual_layers("sd3") == usual_layers(None) == usual_layers("../flux") == ()


IN = "transformer.single_transformer_blocks.{}.proj_mlp"
OUT = "transformer.single_transformer_blocks.{}.proj_out"


def _flux(change=lambda shape: shape, changed=()):
    sizes = {name.format(n): size for n in range(38) for name, size in ((IN, (12288, 3072)), (OUT, (3072, 15360)))}
    return {name: change(size) if name in changed else size for name, size in sizes.items()}


CHANGES = {
    "transposed": (lambda size: size[::-1], "made for 15360 outputs, the base has 3072"),
    "widened": (lambda size: (size[0] + 64, size[1]), "made for 3136 outputs, the base has 3072"),
    "truncated": (lambda size: (size[0], size[1] // 2), "made for 7680 weights per output, the base has 15360"),
}


@pytest.mark.parametrize("how", CHANGES)
def test_layers_of_other_sizes_are_a_problem_in_the_words_of_an_audit(how, tmp_path):
    """One of 76 layers is more than the share that may be left out; both say the same of the usual base."""
    change, reason = CHANGES[how]
    wrong = OUT.format(7)
    adapter = _written(tmp_path / "x.safetensors", _flux(change, [wrong]))
    assert adapter.family == "flux"
    (said,) = summarise(adapter).problems
    (components,) = components_of("flux").values()
    matching = match_modules(adapter, components)
    audited = matching.takes_effect.problem() or matching.unexpected
    assert audited is not None and reason in audited
    assert said == audited.replace(reason, f"does not fit the usual base, FLUX.1: {reason}")


def test_one_layer_of_another_size_among_many_is_a_problem_too(tmp_path):
    """Fewer than may be left out, and yet none may: what it says of its layer is lost."""
    sizes = {f"transformer.single_transformer_blocks.{n}.attn.to_{p}": (3072, 3072) for n in range(38) for p in "qkv"}
    odd = "transformer.single_transformer_blocks.5.attn.to_q"
    (said,) = summarise(_written(tmp_path / "x.safetensors", sizes | {odd: (3072, 3000)})).problems
    reason = "made for 3000 weights per output, the base has 3072"
    whole = f"does not fit the usual base, FLUX.1: {reason}"
    assert said == f"1 module of the base cannot be changed as the file says: {odd} ({whole})"


def test_fused_layers_have_the_sizes_of_their_parts_together(tmp_path):
    stem = "diffusion_model.single_blocks.{}.linear1"
    sizes = {stem.format(n): (3 * 3072 + 12288, 3072) for n in range(38)}
    assert summarise(_written(tmp_path / "x.safetensors", sizes)).problems == ()
    (said,) = summarise(_written(tmp_path / "y.safetensors", sizes | {stem.format(3): (9216, 3072)})).problems
    assert "made for 9216 outputs, the base has 21504" in said


@pytest.mark.parametrize(("channels", "what"), [(9, "an inpainting model"), (8, "an instruct-pix2pix model")])
def test_known_variants_with_a_wider_first_layer_are_not_called_broken(channels, what, tmp_path):
    tensors = {"lora_unet_conv_in.lora_down.weight": torch.ones(1, channels, 3, 3)}
    tensors["lora_unet_conv_in.lora_up.weight"] = torch.ones(320, 1, 1, 1)
    key = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
    tensors |= {f"{key}.lora_down.weight": torch.ones(1, 768), f"{key}.lora_up.weight": torch.ones(1280, 1)}
    save_file(tensors, tmp_path / "x.safetensors")
    summary = summarise(read_adapter(tmp_path / "x.safetensors"))
    assert (summary.family, summary.problems) == ("sd15", ())
    assert any(what in warning for warning in summary.warnings)
    tensors["lora_unet_conv_in.lora_up.weight"] = torch.ones(640, 1, 1, 1)
    save_file(tensors, tmp_path / "x.safetensors")
    assert "made for 640 outputs, the base has 320" in summarise(read_adapter(tmp_path / "x.safetensors")).problems[0]


@pytest.mark.parametrize(("inputs", "what"), [(384, "fills in"), (128, "control LoRA")])
def test_flux_that_reads_more_than_latents_is_not_called_broken(inputs, what, tmp_path):
    summary = summarise(_written(tmp_path / "x.safetensors", _flux() | {"transformer.x_embedder": (3072, inputs)}))
    assert summary.problems == ()
    assert any(what in warning for warning in summary.warnings)


WAN = {"self_attn.q": "ww", "self_attn.o": "ww", "cross_attn.k": "ww", "ffn.0": "fw", "ffn.2": "wf", "norm3": "w"}


def _wan(path, width, inner, depth, more=()):
    tensors = {}
    for n in range(depth):
        for name, (out, *inputs) in WAN.items():
            sides = [{"w": width, "f": inner}[side] for side in (out, *inputs)]
            stem = f"diffusion_model.blocks.{n}.{name}"
            if inputs:
                tensors[f"{stem}.lora_down.weight"] = torch.ones(1, sides[1])
                tensors[f"{stem}.lora_up.weight"] = torch.ones(sides[0], 1)
            else:
                tensors[f"{stem}.diff"] = torch.ones(width)
    save_file(tensors | dict(more), path)
    summary = summarise(read_adapter(path))
    assert summary.family == "wan"
    return summary


@pytest.mark.parametrize(("width", "inner", "depth"), [(1536, 8960, 30), (5120, 13824, 40), (3072, 14336, 30)])
def test_wan_has_three_sizes_and_what_fits_none_is_a_problem(width, inner, depth, tmp_path):
    assert _wan(tmp_path / "x.safetensors", width, inner, depth).problems == ()
    (deeper,) = _wan(tmp_path / "x.safetensors", width, inner, depth + 1).problems
    assert "has no such module" in deeper
    (wider,) = _wan(tmp_path / "x.safetensors", width + 128, inner, depth).problems
    assert f"does not fit the usual base, Wan {'14B' if depth == 40 else '2.1 1.3B'}" in wider


def test_wan_that_begins_with_a_picture_is_not_called_broken(tmp_path):
    down, up = torch.ones(1, 1280), torch.ones(1280, 1)
    more = {
        "diffusion_model.img_emb.proj.1.lora_down.weight": down,
        "diffusion_model.img_emb.proj.1.lora_up.weight": up,
    }
    first = "diffusion_model.patch_embedding"
    more |= {
        f"{first}.lora_down.weight": torch.ones(1, 36, 1, 2, 2),
        f"{first}.lora_up.weight": torch.ones(5120, 1, 1, 1, 1),
    }
    summary = _wan(tmp_path / "x.safetensors", 5120, 13824, 40, more)
    assert summary.problems == ()
    assert any("begins with a picture" in warning for warning in summary.warnings)
