"""Claim: LoRAs of every family are named, in the names of every program that writes them; no torch is needed."""

import json

import numpy as np
import pytest
from owf.cli.inspect import main
from owf.core.adapter import read_adapter
from safetensors.numpy import save_file
from transformer_layers import SETTINGS, recorded

BLOCKS = ("0", "1", "8", "40")
"""Numbers of blocks of which files are made: those that families are told apart by, and not all, to be quick."""
ATTENTION = (".attn", ".attention.", ".self_attention.")
FEED_FORWARD = (".ff", ".feed_forward.", ".mlp.", ".img_mlp.", ".txt_mlp.", ".proj_mlp", ".proj_out", ".ffn.")
STEMS = {
    "kohya": lambda name: f"lora_unet_{name.replace('.', '_')}",
    "OneTrainer": lambda name: f"lora_transformer_{name.replace('.', '_')}",
    "SimpleTuner": lambda name: f"lycoris_{name.replace('.', '_')}",
    "diffusers": lambda name: f"transformer.{name}",
    "comfy": lambda name: f"diffusion_model.{name}",
    "PEFT": lambda name: f"base_model.model.{name}",
}
TAKEN_FOR = {
    ("chroma", "feed-forward"): "flux",
    ("chroma", "attention"): "flux",
    ("anima", "feed-forward"): None,  # that of LTX-Video too
}
"""What only metadata tell apart, and for which family it is taken without."""


def _write(path, layers, metadata=None, ends=("lora_down.weight", "lora_up.weight")):
    """Write a LoRA of rank 1 for layers: (stem, outputs, inputs)."""
    tensors = {}
    for stem, outputs, inputs in layers:
        tensors[f"{stem}.{ends[0]}"] = np.ones((1, inputs), np.float16)
        tensors[f"{stem}.{ends[1]}"] = np.ones((outputs, 1), np.float16)
    save_file(tensors, path, metadata=metadata)
    return path


def _layers(family, which):
    """Return (name, outputs, inputs) of some blocks' layers of a kind."""
    kinds = {"all": ("",), "attention": ATTENTION, "feed-forward": FEED_FORWARD}[which]
    for name, shape in recorded(family).items():
        numbers = [part for part in name.split(".") if part.isdigit()]
        # Convolutions are left out: their factors have more sides than two, and nothing here depends on them.
        if numbers and numbers[0] in BLOCKS and len(shape) == 2 and any(kind in f".{name}" for kind in kinds):
            yield name, *shape


@pytest.mark.parametrize("which", ["all", "attention", "feed-forward"])
@pytest.mark.parametrize("program", STEMS)
@pytest.mark.parametrize("family", SETTINGS)
def test_names_of_diffusers_classes(family, program, which, tmp_path):
    layers = [(STEMS[program](name), *shape) for name, *shape in _layers(family, which)]
    assert layers
    adapter = read_adapter(_write(tmp_path / "x.safetensors", layers))
    assert adapter.family == TAKEN_FOR.get((family, which), family)
    assert (len(adapter.modules), adapter.unknown, adapter.broken) == (len(layers), (), ())
    assert adapter.components == ("transformer",)


def _flux_blocks(width, hidden, gate):
    """Return the layers of the original FLUX blocks; `gate` is 2 where the feed-forward has one."""
    attention = [(f"double_blocks.0.{side}_attn.{part}", n * width, width) for side in ("img", "txt") for part, n in
                 (("qkv", 3), ("proj", 1))]  # fmt: skip
    forward = [(f"double_blocks.0.{side}_mlp.0", gate * hidden, width) for side in ("img", "txt")]
    forward += [(f"double_blocks.0.{side}_mlp.2", width, hidden) for side in ("img", "txt")]
    single = [
        ("single_blocks.0.linear1", 3 * width + gate * hidden, width),
        ("single_blocks.0.linear2", width, width + hidden),
    ]
    return {"double": attention + forward, "forward": forward, "single": single, "all": attention + forward + single}


_ANIMA = [(f"blocks.0.{attn}_attn.{part}", 2048, 1024 if attn == "cross" and part[0] in "kv" else 2048)
          for attn in ("self", "cross") for part in ("q_proj", "k_proj", "v_proj", "output_proj")]  # fmt: skip
_ANIMA_FORWARD = [("blocks.0.mlp.layer1", 8192, 2048), ("blocks.0.mlp.layer2", 2048, 8192)]
_ANIMA_TEXT = [("llm_adapter.blocks.0.self_attn.q_proj", 1024, 1024), ("llm_adapter.blocks.0.mlp.0", 4096, 1024)]
_KREA = [("blocks.0.attn.wq", 6144, 6144), ("blocks.0.attn.wk", 1536, 6144), ("blocks.0.attn.wv", 1536, 6144)]
_KREA_FORWARD = [
    ("blocks.0.mlp.gate", 16384, 6144),
    ("blocks.0.mlp.up", 16384, 6144),
    ("blocks.0.mlp.down", 6144, 16384),
]
_WAN = [(f"blocks.0.{attn}_attn.{part}", 5120, 5120) for attn in ("self", "cross") for part in "qkvo"]
ORIGINAL = {
    **{f"flux {part}": ("flux", layers) for part, layers in _flux_blocks(3072, 12288, 1).items()},
    **{f"klein 4B {part}": ("flux2_klein", layers) for part, layers in _flux_blocks(3072, 9216, 2).items()},
    **{f"klein 9B {part}": ("flux2_klein_9b", layers) for part, layers in _flux_blocks(4096, 12288, 2).items()},
    **{f"FLUX.2 {part}": ("flux2", layers) for part, layers in _flux_blocks(6144, 18432, 2).items()},
    "FLUX.3": ("flux3", [(f"single_blocks.0.{part}", 3072, 3072) for part in ("q_proj", "v_proj", "attn_out")]),
    "FLUX.3 by mode": ("flux3", [("content_mode_blocks.image.0.q_proj", 3072, 3072)]),
    "Z-Image": ("z_image", [("layers.0.attention.qkv", 11520, 3840), ("layers.0.attention.out", 3840, 3840)]),
    "Z-Image feed-forward": ("z_image", [("layers.0.feed_forward.w1", 10240, 3840)]),
    "Z-Image feed-forward out": ("z_image", [("layers.0.feed_forward.w2", 3840, 10240)]),
    "Ideogram 4": ("ideogram4", [("layers.0.attention.qkv", 13824, 4608), ("layers.0.attention.o", 4608, 4608)]),
    "Lumina 2": ("lumina2", [("layers.0.attention.qkv", 3840, 2304), ("layers.0.attention.out", 2304, 2304)]),
    "Krea 2": ("krea2", _KREA + _KREA_FORWARD),
    "Krea 2 attention": ("krea2", _KREA),
    "Krea 2 feed-forward": ("krea2", _KREA_FORWARD),
    "Krea 2 text": ("krea2", [("txtfusion.layerwise_blocks.0.attn.wq", 2560, 2560)]),
    "Anima": ("anima", _ANIMA + _ANIMA_FORWARD + _ANIMA_TEXT),
    "Anima attention": ("anima", _ANIMA),
    "Anima feed-forward": ("anima", _ANIMA_FORWARD),
    "Anima text": ("anima", _ANIMA_TEXT),
    "HiDream-O1": ("hidream_o1", [("language_model.layers.0.self_attn.q_proj", 4096, 4096)]),
    "Wan": ("wan", [*_WAN, ("blocks.0.ffn.0", 13824, 5120), ("blocks.0.ffn.2", 5120, 13824)]),
    "Wan attention": ("wan", _WAN),
    "Wan, pictures too": ("wan", [("blocks.0.cross_attn.k_img", 5120, 5120), ("blocks.0.cross_attn.k", 5120, 5120)]),
}  # fmt: skip


@pytest.mark.parametrize("program", ["kohya", "comfy", "PEFT"])
@pytest.mark.parametrize("case", ORIGINAL)
def test_names_of_the_original_code(case, program, tmp_path):
    family, layers = ORIGINAL[case]
    adapter = read_adapter(
        _write(tmp_path / "x.safetensors", [(STEMS[program](name), *shape) for name, *shape in layers])
    )
    assert adapter.family == family
    assert (len(adapter.modules), adapter.unknown, adapter.broken) == (len(layers), (), ())
    text = sum("llm_adapter" in name for name, *_ in layers)
    assert sum(module.component == "text_conditioner" for module in adapter.modules) == text


SAID = {
    "flux2_klein_4b": "flux2_klein",
    "flux_2_klein_4b": "flux2_klein",
    "chroma": "chroma",
    "hunyuan_video": "hunyuan_video",
    "flux.1": "flux",
}


@pytest.mark.parametrize(("said", "family"), SAID.items())
def test_metadata_tell_apart_what_weights_do_not(said, family, tmp_path):
    layers = [("lora_unet_double_blocks_0_img_attn_qkv", 9216, 3072)]
    adapter = read_adapter(_write(tmp_path / "x.safetensors", layers, {"ss_base_model_version": said}))
    assert (adapter.family, adapter.warnings) == (family, ())


@pytest.mark.parametrize("number", [5, 12, 18])
def test_metadata_do_not_overrule_weights(number, tmp_path):
    """Klein has five double blocks, so that this one is of FLUX.1, whatever the file says."""
    layers = [(f"lora_unet_double_blocks_{n}_img_attn_qkv", 9216, 3072) for n in (0, number)]
    adapter = read_adapter(_write(tmp_path / "x.safetensors", layers, {"ss_base_model_version": "flux2_klein_4b"}))
    assert adapter.family == "flux"
    assert any("the metadata says flux2_klein" in warning for warning in adapter.warnings)


@pytest.mark.parametrize(
    ("case", "family"),
    [("klein 4B all", "flux2_klein"), ("klein 9B single", "flux2_klein_9b"), ("FLUX.2 all", "flux2")],
)
def test_one_name_for_several_sizes_is_that_of_the_weights(case, family, tmp_path):
    layers = [(f"diffusion_model.{name}", *shape) for name, *shape in ORIGINAL[case][1]]
    adapter = read_adapter(_write(tmp_path / "x.safetensors", layers, {"modelspec.architecture": "Flux.2/lora"}))
    assert (adapter.family, adapter.warnings) == (family, ())


@pytest.mark.parametrize(
    "stem",
    [
        "lora_te_layers_0_self_attn_q_proj",
        "text_encoders.qwen3_06b.transformer.model.layers.0.self_attn.q_proj",
        "text_encoder.model.layers.0.self_attn.q_proj",
        "text_encoder.layers.0.self_attn.q_proj",
    ],
)
def test_language_models_as_text_encoders(stem, tmp_path):
    (module,) = read_adapter(_write(tmp_path / "x.safetensors", [(stem, 64, 64)])).modules
    assert (module.component, module.path) == ("text_encoder", "layers_0_self_attn_q_proj")


HALVES = {
    "wan2.2_style_high_noise": "high",
    "style_low_noise_000002000": "low",
    "Wan22_Style_HighNoise": "high",
    "wan2.2-t2v-a14b-style-high-v2": "high",
    "WAN_2_2_style_L": "low",
    "wan22_HN_e40": "high",
    "wan21_low_poly": None,
    "wan2.1_style_high": None,
    "wan2.2_high_noise_and_low_noise_merged": None,
    "wan22_low_light_photos": None,
}


@pytest.mark.parametrize(("name", "half"), HALVES.items())
def test_halves_of_wan_are_named_as_such(name, half, tmp_path):
    adapter = read_adapter(
        _write(tmp_path / f"{name}.safetensors", [("diffusion_model.blocks.0.self_attn.q", 5120, 5120)])
    )
    said = [warning for warning in adapter.warnings if "noise" in warning]
    assert len(said) == (half is not None)
    assert half is None or f"by its file name this is the {half}-noise half" in said[0]


@pytest.mark.parametrize(
    ("times", "half"), [("875,1000", "high"), ("900,1000", "high"), ("0,875", "low"), ("0,1000", None), ("x", None)]
)
def test_halves_of_wan_by_the_times_of_training(times, half, tmp_path):
    layers, said = [("lora_unet_blocks_0_self_attn_q", 5120, 5120)], {"modelspec.timestep_range": times}
    adapter = read_adapter(_write(tmp_path / "style.safetensors", layers, said))
    notes = [warning for warning in adapter.warnings if "noise" in warning]
    assert len(notes) == (half is not None)
    assert half is None or f"by its times of training this is the {half}-noise half" in notes[0]


def test_a_wan_2_2_lora_that_does_not_say_which_half(tmp_path):
    layers, said = [("diffusion_model.blocks.0.self_attn.q", 5120, 5120)], {"ss_base_model_version": "wan_2.2_14b"}
    (note,) = read_adapter(_write(tmp_path / "style.safetensors", layers, said)).warnings
    assert note.startswith("this may be half of a LoRA")


def test_a_flux_lora_called_high_noise_is_no_half(tmp_path):
    path = _write(tmp_path / "high_noise.safetensors", [("lora_unet_single_blocks_0_linear1", 21504, 3072)])
    assert read_adapter(path).warnings == ()


def test_inspect_names_family_and_half(tmp_path, capsys):
    path = _write(tmp_path / "wan2.2_x_high_noise.safetensors", [("diffusion_model.blocks.0.self_attn.q", 5120, 5120)])
    assert main([str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    told = told[0] if isinstance(told, list) else told
    assert told["family"] == "wan"
    assert any("high-noise half" in warning for warning in told["warnings"])


def _hunyuan_blocks():
    """Return the layers of Tencent's own blocks of HunyuanVideo: 20 of two streams, 40 of one."""
    width, hidden = 3072, 12288
    for n in range(20):
        for side in ("img", "txt"):
            yield f"double_blocks.{n}.{side}_attn_qkv", 3 * width, width
            yield f"double_blocks.{n}.{side}_attn_proj", width, width
            yield f"double_blocks.{n}.{side}_mlp.fc1", hidden, width
            yield f"double_blocks.{n}.{side}_mlp.fc2", width, hidden
            yield f"double_blocks.{n}.{side}_mod.linear", 6 * width, width
    for n in range(40):
        yield f"single_blocks.{n}.linear1", 3 * width + hidden, width
        yield f"single_blocks.{n}.linear2", width, width + hidden
        yield f"single_blocks.{n}.modulation.linear", 3 * width, width


@pytest.mark.parametrize("program", STEMS)
@pytest.mark.parametrize("which", ["", "_attn_", "_mlp", "_mod", "double_blocks", "linear1", "linear2", "modulation"])
def test_names_of_tencents_code_are_not_those_of_flux(program, which, tmp_path):
    layers = [(STEMS[program](name), *shape) for name, *shape in _hunyuan_blocks() if which in name]
    assert read_adapter(_write(tmp_path / "x.safetensors", layers)).family == "hunyuan_video"


def _cosmos_blocks(width, blocks):
    """Return the layers of NVIDIA's own blocks of Cosmos-Predict2."""
    for n in range(blocks):
        for kind in ("self", "cross"):
            for part in ("q", "k", "v", "output"):
                inputs = 1024 if kind == "cross" and part in "kv" else width
                yield f"blocks.{n}.{kind}_attn.{part}_proj", width, inputs
        yield f"blocks.{n}.mlp.layer1", 4 * width, width
        yield f"blocks.{n}.mlp.layer2", width, 4 * width
        yield f"blocks.{n}.adaln_modulation_self_attn.1", 256, width
        yield f"blocks.{n}.adaln_modulation_self_attn.2", 3 * width, 256


@pytest.mark.parametrize("program", STEMS)
@pytest.mark.parametrize("which", ["", "self_attn.", "cross_attn.", "mlp.layer1", "mlp.layer2", "adaln"])
@pytest.mark.parametrize(("width", "blocks", "family"), [(2048, 28, "anima"), (5120, 36, None)])
def test_the_large_cosmos_is_not_anima(width, blocks, family, program, which, tmp_path):
    layers = [(STEMS[program](name), *shape) for name, *shape in _cosmos_blocks(width, blocks) if which in name]
    assert read_adapter(_write(tmp_path / "x.safetensors", layers)).family == family
