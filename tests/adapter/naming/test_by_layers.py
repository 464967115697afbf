"""Claim: where markers do not tell families apart, names and sizes of all layers do, or it is said that they do not."""

import pytest
import torch
from owf.core.adapter import read_adapter
from owf.core.adapter.summary import summarise
from safetensors.torch import save_file
from transformer_layers import recorded

ALL_ALIKE = "those of FLUX.1, FLUX.2 klein 4B and of Qwen-Image alike"
TWO_ALIKE = "those of FLUX.1 and of FLUX.2 klein 4B alike"


def _file(path, sizes, metadata=None):
    tensors = {}
    for name, (out, inputs) in sizes.items():
        tensors |= {f"{name}.lora_down.weight": torch.ones(1, inputs), f"{name}.lora_up.weight": torch.ones(out, 1)}
    save_file(tensors, path / "x.safetensors", metadata or {})
    return read_adapter(path / "x.safetensors")


def _double(blocks):
    """Return the attention of double blocks, in the original names: 3072 wide in FLUX.1 and in FLUX.2 klein 4B."""
    whole = {"qkv": (3 * 3072, 3072), "proj": (3072, 3072)}
    return {
        f"diffusion_model.double_blocks.{n}.{side}_attn.{part}": size
        for n in blocks
        for side in ("img", "txt")
        for part, size in whole.items()
    }


def _said(adapter, part):
    return [warning for warning in adapter.warnings if part in warning]


def test_one_block_of_two_families_alike_is_of_neither(tmp_path):
    adapter = _file(tmp_path, _double([2]))
    assert adapter.family is None
    assert _said(adapter, TWO_ALIKE) and _said(adapter, "nothing says for which it was made")


@pytest.mark.parametrize(("blocks", "family", "title"), [(5, "flux2_klein", "FLUX.2 klein 4B"), (19, "flux", None)])
def test_all_blocks_tell_them_apart_and_a_doubt_is_said(blocks, family, title, tmp_path):
    """klein has 5 double blocks and FLUX.1 19, so that 19 leave no doubt."""
    adapter = _file(tmp_path, _double(range(blocks)))
    assert adapter.family == family
    assert bool(_said(adapter, TWO_ALIKE)) == (title is not None)
    assert title is None or _said(adapter, f"taken for one of {title}")


@pytest.mark.parametrize(
    ("base", "family"),
    [
        ("black-forest-labs/FLUX.2-klein-4B", "flux2_klein"),
        ("black-forest-labs/FLUX.2-klein-base-4B", "flux2_klein"),
        ("flux-2-klein-4b-fp8.safetensors", "flux2_klein"),
        ("flux1-dev.safetensors", "flux"),
        ("my_model.safetensors", None),
    ],
)
def test_the_base_of_training_tells_them_apart(base, family, tmp_path):
    adapter = _file(tmp_path, _double([2]), {"ss_sd_model_name": base})
    assert adapter.family == family
    assert bool(_said(adapter, "alike")) == (family is None)


def test_what_the_metadata_say_tells_them_apart(tmp_path):
    for version, family in (("flux2_klein_4b", "flux2_klein"), ("flux1", "flux")):
        adapter = _file(tmp_path, _double([2]), {"ss_base_model_version": version})
        assert (adapter.family, _said(adapter, "alike")) == (family, [])


def test_klein_of_nine_billion_weights_is_wider(tmp_path):
    sizes = {"diffusion_model.double_blocks.0.img_attn.proj": (4096, 4096)}
    adapter = _file(tmp_path, sizes)
    assert (adapter.family, _said(adapter, "alike")) == ("flux2_klein_9b", [])


def test_one_attention_in_diffusers_names_is_three_families(tmp_path):
    stem = "transformer.transformer_blocks.{}.attn.to_q"
    adapter = _file(tmp_path, {stem.format(0): (3072, 3072)})
    assert adapter.family is None
    assert _said(adapter, ALL_ALIKE)
    adapter = _file(tmp_path, {stem.format(n): (3072, 3072) for n in range(60)})
    assert (adapter.family, _said(adapter, "alike")) == ("qwen_image", [])
    adapter = _file(tmp_path, {stem.format(n): (3072, 3072) for n in range(19)})
    assert adapter.family == "flux" and _said(adapter, "those of FLUX.1 and of Qwen-Image alike")


ONE_LAYER = {
    "qwen_image": "transformer_blocks.0.img_mlp.net.0.proj",
    "anima": "transformer_blocks.0.attn2.to_v",
    "flux": "transformer_blocks.0.ff.net.0.proj",
    "krea2": "transformer_blocks.0.attn.to_v",
    "z_image": "layers.0.feed_forward.w3",
    "flux2_klein": "transformer_blocks.0.ff.linear_out",
    "wan": "blocks.0.attn2.to_out.0",
}


@pytest.mark.parametrize("family", ONE_LAYER)
def test_one_layer_that_no_other_has_tells_a_family(family, tmp_path):
    name = ONE_LAYER[family]
    sizes = {f"transformer.{name}": tuple(recorded(family)[name])}
    assert _file(tmp_path, sizes).family == family


@pytest.mark.parametrize(
    ("name", "size", "title"),
    [
        ("transformer_blocks.0.ff.net.2", (2048, 8192), "Anima"),  # LTX-Video's
    ],
)
def test_layers_that_are_known_to_be_others_too_tell_nothing(name, size, title, tmp_path):
    adapter = _file(tmp_path, {f"transformer.{name}": size})
    assert adapter.family is None
    assert _said(adapter, f"those of {title}, but not of it alone")


@pytest.mark.parametrize(
    ("width", "said"), [(4096, "FLUX.2 klein 9B and of Qwen-Image 2.1"), (6144, "FLUX.2 and of Krea 2")]
)
def test_wider_attention_is_two_families_as_well(width, said, tmp_path):
    layer = "to_k" if width == 4096 else "to_q"  # Krea 2 has fewer keys than queries
    adapter = _file(tmp_path, {f"transformer.transformer_blocks.0.attn.{layer}": (width, width)})
    assert adapter.family is None
    assert _said(adapter, f"those of {said} alike")


def test_a_family_of_whose_layers_no_more_is_known_counts_too(tmp_path):
    """Anima and LTX-Video both have 28 blocks of this width."""
    stem = "transformer.transformer_blocks.{}.attn1.to_q"
    adapter = _file(tmp_path, {stem.format(n): (2048, 2048) for n in range(28)})
    assert adapter.family is None
    assert _said(adapter, "those of Anima and of LTX-Video alike, and nothing says")


@pytest.mark.parametrize(
    "stem", ["down_blocks_1_attentions_0_transformer_blocks_0", "mid_block_attentions_0_transformer_blocks_0"]
)
def test_a_transposed_file_is_not_a_sound_one_of_another_family(stem, tmp_path):
    """Its cross-attention then reads 640 or 1280 numbers, as that of the refiner of Stable Diffusion XL does."""
    sizes = {f"lora_unet_{stem}_attn2_to_{part}": (2048, 1280) for part in "kv"}
    (problem,) = summarise(_file(tmp_path, sizes)).problems
    assert "does not fit the usual base, the refiner of Stable Diffusion XL" in problem


@pytest.mark.parametrize("which", ["", ".attn", ".norm"])
def test_a_transposed_anima_is_no_ltx_video(which, tmp_path):
    layers = {name: shape for name, shape in recorded("anima").items() if "_blocks.0." in name and which in name}
    turned = {f"transformer.{name}": shape[::-1] for name, shape in layers.items() if len(shape) == 2}
    assert turned
    adapter = _file(tmp_path, turned)
    assert adapter.family is None
    assert any("those of Anima, but other sizes" in warning for warning in summarise(adapter).warnings)


def test_ltx_video_is_known_by_its_attention(tmp_path):
    layers = {f"attn{n}.{part}": (2048, 2048) for n in (1, 2) for part in ("to_q", "to_k", "to_v", "to_out.0")}
    named = {f"transformer.transformer_blocks.{n}.{name}": size for n in range(2) for name, size in layers.items()}
    assert _file(tmp_path, named).family == "ltx_video"


def test_self_attention_tells_stable_diffusion_xl_and_not_the_older_two(tmp_path):
    stem = "lora_unet_down_blocks_{}_attentions_0_transformer_blocks_{}_attn1_to_q"
    assert _file(tmp_path, {stem.format(2, 9): (1280, 1280)}).family == "sdxl"
    adapter = _file(tmp_path, {stem.format(0, 0): (320, 320)})
    assert adapter.family is None
    assert _said(adapter, "those of Stable Diffusion 1.5 and of Stable Diffusion 2.1 alike")


def test_names_of_a_family_in_other_sizes_are_said_by_inspect(tmp_path):
    adapter = _file(tmp_path, {f"diffusion_model.layers.{n}.attention.to_q": (3900, 3900) for n in range(4)})
    assert adapter.family is None
    (said,) = (warning for warning in summarise(adapter).warnings if "sizes" in warning)
    assert said == "its layers have the names of those of Z-Image, but other sizes than in the usual base"


def test_metadata_that_sizes_contradict_count_for_nothing(tmp_path):
    stem = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_{}"
    said = {"ss_base_model_version": "sd_v1"}
    adapter = _file(tmp_path, {stem.format(part): (64, 64) for part in "qkv"}, said)
    assert adapter.family is None
    assert _said(adapter, "the metadata says sd15, but most layers have other sizes there")
    assert _file(tmp_path, {stem.format(part): (1280, 1280) for part in "qkv"}, said).family == "sd15"
