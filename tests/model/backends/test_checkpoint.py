"""Single-file checkpoints: how they are read is decided by what is in them, and what they are is said by name."""

import shutil

import pytest
import torch
from ldm_checkpoint import write_checkpoint
from owf.core.errors import UsageError
from owf.core.model import base
from owf.core.model.base import choose_base, load_base
from safetensors.torch import load_file, save_file
from tiny_sd import tiny_parts

CPU = torch.device("cpu")
MARK = torch.tensor([])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a narrow checkpoint, and the folder of configurations that it is read with."""
    parts, place = tiny_parts(width=768), tmp_path_factory.mktemp("checkpoint")
    config = place / "configs" / "sd15"
    shutil.copytree(base.CONFIGS / "sd15", config)
    parts.unet.save_config(config / "unet")
    parts.vae.save_config(config / "vae")
    parts.text_encoder.config.save_pretrained(config / "text_encoder")
    return load_file(write_checkpoint(parts, place / "model.safetensors")), place / "configs"


@pytest.fixture
def load(made, tmp_path, monkeypatch):
    monkeypatch.setattr(base, "CONFIGS", made[1])

    def loaded(change=lambda tensors: tensors, metadata=None, name="model.safetensors", dtype=torch.float32):
        save_file(change(dict(made[0])), tmp_path / name, metadata=metadata)
        return load_base(choose_base(str(tmp_path / name), None), CPU, dtype, offline=True)

    return loaded


def marked(*names):
    return lambda tensors: {**tensors, **dict.fromkeys(names, MARK)}


@pytest.mark.parametrize(
    ("names", "metadata", "kind"),
    [
        ((), None, "epsilon"),
        (("v_pred",), None, "v_prediction"),
        (("v_pred",), {"modelspec.prediction_type": "epsilon"}, "v_prediction"),  # hosts go by the marker
        ((), {"modelspec.prediction_type": "v"}, "v_prediction"),
        ((), {"modelspec.predict_key": "v"}, "v_prediction"),
        ((), {"modelspec.predict_key": "epsilon"}, "epsilon"),
    ],
)
def test_markers_and_metadata_say_what_is_predicted(load, names, metadata, kind):
    loaded = load(marked(*names), metadata)
    assert loaded.schedule.prediction_type == kind
    assert float(loaded.schedule.signal[-1]) == pytest.approx(0.0682, abs=1e-3)  # Stable Diffusion's own end


def test_the_marker_of_zero_terminal_snr_rescales_the_schedule(load):
    plain, loaded = load().schedule, load(marked("v_pred", "ztsnr")).schedule
    assert float(loaded.signal[-1]) == 0
    assert float(loaded.signal[0]) == pytest.approx(float(plain.signal[0]), rel=1e-6)
    first, last = plain.signal[0], plain.signal[-1]  # Lin et al., algorithm 1, on the square root of alpha bar
    expected = (plain.signal[500] - last) * first / (first - last)
    assert float(loaded.signal[500]) == pytest.approx(float(expected), rel=1e-9)


def without(*prefixes):
    return lambda tensors: {k: v for k, v in tensors.items() if not k.startswith(prefixes)}


def _renamed(old, new):
    return lambda tensors: {k.replace(old, new): v for k, v in tensors.items()}


def _state(part):
    return {name: tensor.clone() for name, tensor in part.state_dict().items()}


def _alone(part, level):
    return lambda _: {level + k.removeprefix("text_model."): v for k, v in _state(getattr(tiny_parts(), part)).items()}


def _wide(channels):
    name = "model.diffusion_model.input_blocks.0.0.weight"
    return lambda t: {**t, name: torch.zeros(t[name].shape[0], channels, 3, 3)}


REFUSED = {
    "ztsnr alone": (marked("ztsnr"), "zero terminal SNR"),
    "EDM": (marked("edm_vpred.sigma_max", "v_pred"), "EDM"),
    "no VAE": (without("first_stage_model."), "without VAE"),
    "no text encoder": (without("cond_stage_model."), "without text encoder"),
    "neither": (without("first_stage_model.", "cond_stage_model."), "without VAE and text encoder"),
    "VAE alone": (without("model.", "cond_stage_model."), "a VAE alone"),
    "a text encoder alone": (_alone("text_encoder", "text_model."), "a text encoder alone"),
    "that of transformers 5": (_alone("text_encoder", ""), "a text encoder alone"),
    "the VAE of diffusers": (lambda _: _state(tiny_parts().vae), "a VAE alone"),
    "the UNet of diffusers": (lambda _: _state(tiny_parts().unet), "a UNet without"),
    "a small VAE": (lambda _: {f"encoder.layers.{i}.conv.0.weight": torch.zeros(4) for i in range(9)}, "a VAE alone"),
    "T5": (lambda _: {f"encoder.block.{i}.layer.0.x.weight": torch.zeros(4) for i in range(9)}, "a text encoder alone"),
    "LoRA": (lambda _: {"lora_unet_mid_block.lora_down.weight": torch.zeros(4, 4)}, "a LoRA"),
    "OFT": (lambda _: {"oft_unet_mid_block.oft_blocks": torch.zeros(2, 4, 4)}, "a LoRA"),
    "GLoRA": (lambda _: {"lycoris.to_q.a1.weight": torch.zeros(4, 4)}, "a LoRA"),
    "whole layers": (lambda _: {"diffusion_model.layers.0.attention.qkv.diff": torch.zeros(4, 4)}, "a LoRA"),
    "PEFT LoRA": (lambda _: {"unet.to_q.lora_A.weight": torch.zeros(4, 4)}, "a LoRA"),
    "SDXL": (
        _renamed("cond_stage_model.transformer.", "conditioner.embedders.1.model."),
        "Stable Diffusion XL checkpoint without text encoder",
    ),
    "FLUX": (lambda _: {"double_blocks.0.img_attn.qkv.weight": torch.zeros(4, 4)}, "FLUX"),
    "ControlNet": (marked(*(f"control_model.input_hint_block.{i}.weight" for i in range(100))), "ControlNet"),
    "SD 2": (_renamed("cond_stage_model.transformer.", "cond_stage_model.model."), "Stable Diffusion 2"),
    "nothing": (lambda _: {}, "no tensors"),
    "anything": (lambda _: {"weight": torch.zeros(3)}, "weight"),
    "inpainting": (_wide(9), "inpainting"),
    "pix2pix": (_wide(8), "instruct-pix2pix"),
    "a weight gone": (without("model.diffusion_model.middle_block.0.in_layers.0.weight"), "model.safetensors"),
    "a text weight gone": (without("cond_stage_model.transformer.text_model.final_layer_norm.bias"), "text encoder"),
    "a weight too many": (marked("model.diffusion_model.extra.weight"), "model.diffusion_model.extra.weight"),
    "a VAE weight renamed": (
        _renamed("first_stage_model.decoder.conv_in", "first_stage_model.decoder.conv_inn"),
        "missing",
    ),
    "int8": (lambda t: {k: v.to(torch.int8) for k, v in t.items()}, "I8"),
    "NaN": (lambda t: {k: v * torch.nan if "out.2.weight" in k else v for k, v in t.items()}, "NaN"),
    "misshapen": (lambda t: {k: v[:1] if "time_embed.0" in k else v for k, v in t.items()}, "model.safetensors"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_other_files_are_named_by_what_is_in_them(load, case):
    change, word = REFUSED[case]
    with pytest.raises(UsageError) as caught:
        load(change)
    assert word in str(caught.value)
    assert "model.safetensors" in str(caught.value)


@pytest.mark.parametrize(
    "stray",
    [
        "lora_unet_mid_block.lora_down.weight",
        "lora_te_x.alpha",
        "cond_stage_model.model.ln_final.weight",
        "conditioner.embedders.1.model.x",
        "control_model.x",
        "double_blocks.0.x",
    ],
)
def test_one_stray_tensor_does_not_rename_a_whole_checkpoint(load, stray):
    assert load(marked(stray)).family == "sd15"


def test_missing_weights_are_said_in_one_sentence_and_not_the_libraries(load):
    for prefix in ("model.diffusion_model.time_embed.0.weight", "cond_stage_model.transformer.text_model.embeddings."):
        with pytest.raises(UsageError) as caught:
            load(without(prefix))
        assert "meta" not in str(caught.value)
        assert ".to(" not in str(caught.value)


def test_a_text_encoder_without_the_level_text_model_is_the_same_one(load):
    prefix = "cond_stage_model.transformer."
    usual, early = load(), load(_renamed(f"{prefix}text_model.", prefix))
    assert early.digest() == usual.digest()
    prompt = ["a photo of a cat"]
    assert torch.equal(early.encode_text(prompt).context, usual.encode_text(prompt).context)
    half = load(_renamed(f"{prefix}text_model.", prefix), dtype=torch.float16)
    assert half.digest() == load(dtype=torch.float16).digest()


def test_a_weight_that_such_a_text_encoder_lacks_is_named(load):
    prefix = "cond_stage_model.transformer."

    def change(tensors):
        early = _renamed(f"{prefix}text_model.", prefix)(tensors)
        return {name: value for name, value in early.items() if "final_layer_norm.bias" not in name}

    with pytest.raises(UsageError, match=r"final_layer_norm\.bias"):
        load(change)


A1111 = """model:
  base_learning_rate: 1.0e-4
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    parameterization: {}
    linear_start: 0.00085
"""


@pytest.mark.parametrize(
    ("line", "names", "kind"),
    [
        ('"v"', (), "v_prediction"),
        ("'v'", ("v_pred",), "v_prediction"),
        ("v  # as trained", (), "v_prediction"),
        ("eps", (), "epsilon"),
        ("v\r", (), "v_prediction"),
    ],
)
def test_settings_beside_the_file_say_what_is_predicted(load, tmp_path, line, names, kind):
    (tmp_path / "model.yaml").write_text(A1111.format(line), newline="")
    assert load(marked(*names)).schedule.prediction_type == kind


@pytest.mark.parametrize("metadata", [None, {"modelspec.predict_key": "v"}])
def test_settings_that_contradict_the_file_are_an_error_that_names_both(load, tmp_path, metadata):
    (tmp_path / "model.yaml").write_text(A1111.format("eps"))
    with pytest.raises(UsageError) as caught:
        load(marked() if metadata else marked("v_pred"), metadata)
    said = str(caught.value)
    assert all(word in said for word in ("model.safetensors", "model.yaml", "modelspec" if metadata else "v_pred"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('parameterization: "x0"', "'x0'"),
        ("parameterization: v\nparameterization: eps", "one of them"),
        ("parameterization:", "''"),
        ("parameterization:" + " " * 60_000 + "!", "'!'"),
    ],
)
def test_settings_that_say_something_else_are_refused(load, tmp_path, text, words):
    (tmp_path / "model.yaml").write_text(text)
    with pytest.raises(UsageError, match=words):
        load()


@pytest.mark.parametrize(
    "text", ["# parameterization: v", "x: 1", "", "!!python/object/apply:os.system [exit]", "\xff" * 99]
)
def test_settings_that_say_nothing_of_it_are_passed_over(load, tmp_path, text):
    (tmp_path / "model.yaml").write_text(text, encoding="latin-1")
    assert load().schedule.prediction_type == "epsilon"


def test_a_huge_file_of_settings_is_not_read_whole(load, tmp_path):
    with (tmp_path / "model.yaml").open("wb") as file:
        file.write(b"parameterization: v\n")
        file.truncate(2**40)
    assert load().schedule.prediction_type == "v_prediction"


def test_metadata_of_other_predictions_is_refused(load):
    with pytest.raises(UsageError, match="sample"):
        load(metadata={"modelspec.prediction_type": "sample"})


def test_endings_are_read_in_any_case_and_half_precision_too(load):
    half = lambda tensors: {k: v.half() for k, v in tensors.items()}  # noqa: E731
    assert load(half, name="model.SAFETENSORS", dtype=torch.float16).dtype == torch.float16
    assert load(half).dtype == torch.float32


def test_a_file_that_was_cut_off_is_one_sentence(load, tmp_path):
    load()
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(UsageError, match="cannot be read as a safetensors file"):
        load_base(choose_base(str(file), None), CPU, torch.float32, offline=True)


@pytest.mark.parametrize("name", ["model.sft", "model.SFT"])
def test_the_short_ending_is_read_as_the_long_one(load, name):
    assert load(marked("v_pred"), name=name).schedule.prediction_type == "v_prediction"
