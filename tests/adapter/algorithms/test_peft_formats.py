"""Claim: files written by PEFT and diffusers give the outputs of the live PEFT model."""

import copy
import dataclasses
import json

import pytest
import torch
from owf.core.adapter import applied, match, read_adapter
from safetensors.torch import load_file, save_file

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
TEXT = ["q_proj", "v_proj"]


def _config(targets, **settings):
    from peft import LoraConfig

    unknown = settings.keys() - {field.name for field in dataclasses.fields(LoraConfig)}
    if unknown:
        pytest.skip(f"this PEFT has no {', '.join(unknown)}")
    return LoraConfig(**{"r": 4, "lora_alpha": 2, "target_modules": targets, "init_lora_weights": False, **settings})


CONFIGS = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "patterns": {"rank_pattern": {"to_q": 2}, "alpha_pattern": {"to_q": 5, "attn2.to_k": 3}},
    "ends of names": {"alpha_pattern": {"q": 7, "1.to_k": 3, "attn2.to_q": 5, "to_out.0": 6}},
    "bias": {"lora_bias": True},
}


def _tuned(base, **settings):
    """Return copies of the base's modules with live random PEFT adapters."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        unet = copy.deepcopy(base.components["unet"])
        unet.add_adapter(_config(ATTENTION, **settings))
        text = copy.deepcopy(base.components["text_encoder"])
        text.add_adapter(_config(TEXT, **{key: value for key, value in settings.items() if "pattern" not in key}))
    return type(base)({"unet": unet.eval(), "text_encoder": text.eval()})


def _check(base, path, expected, largest_difference):
    adapter = read_adapter(path)
    with applied(base.components, adapter) as report:
        found = base.outputs()
    assert report.unmatched == ()
    assert report.problems == ()
    assert largest_difference(found, expected) < 1e-4
    return adapter


@pytest.mark.parametrize("name", CONFIGS)
def test_diffusers_file_with_metadata(name, small_base, tmp_path, largest_difference):
    from diffusers import StableDiffusionPipeline, training_utils
    from peft.utils import get_peft_model_state_dict

    if not hasattr(training_utils, "_collate_lora_metadata"):
        pytest.skip("this diffusers writes no metadata")
    tuned = _tuned(small_base, **CONFIGS[name])
    unet, text = tuned.components["unet"], tuned.components["text_encoder"]
    StableDiffusionPipeline.save_lora_weights(
        tmp_path,
        unet_lora_layers=get_peft_model_state_dict(unet, adapter_name="default"),
        text_encoder_lora_layers=get_peft_model_state_dict(text, adapter_name="default"),
        **training_utils._collate_lora_metadata({"unet": unet, "text_encoder": text}),
    )
    adapter = _check(small_base, tmp_path, tuned.outputs(), largest_difference)
    assert adapter.format == "diffusers PEFT"
    assert not any("no alpha" in warning for warning in adapter.warnings)


def test_lost_alpha_is_warned_about(small_base, tmp_path, largest_difference):
    from diffusers import StableDiffusionPipeline
    from peft.utils import get_peft_model_state_dict

    tuned = _tuned(small_base, lora_alpha=4)  # alpha = rank, so that losing it changes nothing
    layers = get_peft_model_state_dict(tuned.components["unet"], adapter_name="default")
    text_layers = get_peft_model_state_dict(tuned.components["text_encoder"], adapter_name="default")
    StableDiffusionPipeline.save_lora_weights(tmp_path, layers, text_layers)
    adapter = _check(small_base, tmp_path, tuned.outputs(), largest_difference)
    assert any("no alpha" in warning for warning in adapter.warnings)


@pytest.mark.parametrize("name", [*CONFIGS, "conv dora"])
def test_native_peft_folders(name, small_base, tmp_path, largest_difference):
    from peft import get_peft_model

    settings = CONFIGS.get(name, {"use_dora": True})
    targets = [*ATTENTION, "conv1", "conv_shortcut"] if name == "conv dora" else ATTENTION
    with torch.random.fork_rng():
        torch.manual_seed(5)
        unet = get_peft_model(copy.deepcopy(small_base.components["unet"]), _config(targets, **settings))
        text = get_peft_model(copy.deepcopy(small_base.components["text_encoder"]), _config(TEXT))
    unet.save_pretrained(tmp_path / "unet")
    text.save_pretrained(tmp_path / "text_encoder")
    tuned = type(small_base)({"unet": unet.eval(), "text_encoder": text.eval()})
    adapter = _check(small_base, tmp_path, tuned.outputs(), largest_difference)
    assert adapter.format == "PEFT"
    alone = read_adapter(tmp_path / "unet" / "adapter_model.safetensors")
    assert alone.components == ("unet",)
    assert alone.alphas == tuple(module_alphas(settings))


@pytest.mark.parametrize("settings", [{}, {"use_rslora": True}, {"use_dora": True}], ids=str)
def test_token_embeddings(settings, small_base, tmp_path, largest_difference):
    from peft import get_peft_model

    with torch.random.fork_rng():
        torch.manual_seed(5)
        text = copy.deepcopy(small_base.components["text_encoder"])
        text = get_peft_model(text, _config([*TEXT, "token_embedding"], **settings))
    text.save_pretrained(tmp_path / "text_encoder")
    tuned = type(small_base)({**small_base.components, "text_encoder": text.eval()})
    adapter = _check(small_base, tmp_path, tuned.outputs(), largest_difference)
    assert any("lora_embedding" in method for method in adapter.algorithms)


def module_alphas(settings):
    patterns = settings.get("alpha_pattern", {})
    of_no_layer = {"q", "1.to_k"}  # though the names of layers end so
    return sorted({2.0, *(float(alpha) for pattern, alpha in patterns.items() if pattern not in of_no_layer)})


@pytest.mark.parametrize("kind", ["LoHaConfig", "LoKrConfig"])
def test_peft_hadamard_and_kronecker_folders(kind, small_base, tmp_path, largest_difference):
    import peft

    config = getattr(peft, kind)(r=4, alpha=2, target_modules=ATTENTION, init_weights=False)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        unet = peft.get_peft_model(copy.deepcopy(small_base.components["unet"]), config)
    for name, parameter in unet.named_parameters():
        if "hada" in name or "lokr" in name:
            parameter.data = parameter.data * 0.3
    unet.save_pretrained(tmp_path / "unet")
    tuned = type(small_base)({**small_base.components, "unet": unet.eval()})
    _check(small_base, tmp_path, tuned.outputs(), largest_difference)


def test_kronecker_folders_of_peft_before_0_14_have_no_alpha(small_base, tmp_path, largest_difference):
    """Until then PEFT computed the scale of LoKr and never used it; the field `rank_dropout_scale` is as old."""
    import peft

    config = peft.LoKrConfig(r=4, alpha=4, target_modules=ATTENTION, init_weights=False)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        unet = peft.get_peft_model(copy.deepcopy(small_base.components["unet"]), config)
    unet.save_pretrained(tmp_path / "unet")
    settings = tmp_path / "unet" / "adapter_config.json"
    fields = json.loads(settings.read_text()) | {"alpha": 2}
    fields.pop("rank_dropout_scale", None)
    settings.write_text(json.dumps(fields))
    tuned = type(small_base)({**small_base.components, "unet": unet.eval()})
    adapter = _check(small_base, tmp_path, tuned.outputs(), largest_difference)
    assert any("before 0.14" in warning for warning in adapter.warnings)


@pytest.mark.parametrize("patterns", [{"rank_pattern": {"attn2.to_k": 2, "to_q": 8}}, {"alpha_pattern": {"to_v": 5}}])
def test_kronecker_factors_kept_whole_take_the_rank_from_the_configuration(
    patterns, small_base, tmp_path, largest_difference
):
    import peft

    settings = {"decompose_factor": 4, "r": 16, "alpha": 6, "init_weights": False, **patterns}
    config = peft.LoKrConfig(target_modules=ATTENTION, decompose_both=False, **settings)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        unet = peft.get_peft_model(copy.deepcopy(small_base.components["unet"]), config)
    for name, parameter in unet.named_parameters():
        if "lokr" in name:
            parameter.data = parameter.data * 0.3
    unet.save_pretrained(tmp_path / "unet")
    tuned = type(small_base)({**small_base.components, "unet": unet.eval()})
    _check(small_base, tmp_path, tuned.outputs(), largest_difference)


@pytest.mark.parametrize(
    "settings", [{"modules_to_save": ["conv_in"]}, {"bias": "all"}, {"bias": "lora_only"}], ids=str
)
def test_weights_trained_whole_beside_the_lora_are_a_problem(settings, small_base, tmp_path):
    """PEFT would put them in the place of the base's; a score without them would be that of another model."""
    from peft import get_peft_model

    unet = get_peft_model(copy.deepcopy(small_base.components["unet"]), _config(ATTENTION, **settings))
    unet.save_pretrained(tmp_path / "unet")
    if not any("lora_" not in name for name in load_file(tmp_path / "unet" / "adapter_model.safetensors")):
        pytest.skip("this PEFT leaves them out of the file")  # 0.13: bias="lora_only" looks for them under an old name
    report = match(read_adapter(tmp_path), small_base.components)
    assert report.matched == 32
    assert any("stored whole" in problem for problem in report.problems)


def test_other_peft_methods_are_named_and_refused(small_base, tmp_path):
    import peft
    from owf.core.errors import AdapterError

    unet = peft.get_peft_model(copy.deepcopy(small_base.components["unet"]), peft.VeraConfig(target_modules=["to_q"]))
    unet.save_pretrained(tmp_path)
    with pytest.raises(AdapterError, match="VERA"):
        read_adapter(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (".lora_A.weight", ".lora.down.weight"),
        (".lora_A.weight", ".lora_linear_layer.down.weight"),
        (".lora_A.weight", ".lora_A.default.weight"),
    ],
)
def test_older_endings(old, new, small_base, tmp_path, largest_difference):
    from peft.utils import get_peft_model_state_dict

    tuned = _tuned(small_base, lora_alpha=4)
    tensors = {
        f"{component}.{key}".replace(old, new).replace(
            old.replace("_A", "_B"), new.replace("_A", "_B").replace("down", "up")
        ): tensor
        for component, module in tuned.components.items()
        for key, tensor in get_peft_model_state_dict(module, adapter_name="default").items()
    }
    save_file(tensors, tmp_path / "old.safetensors")
    _check(small_base, tmp_path / "old.safetensors", tuned.outputs(), largest_difference)


def test_attention_processors_of_both_components(small_base, tmp_path, largest_difference):
    """The names of diffusers 0.15 to 0.17: `attn1.processor.to_q_lora`, `self_attn.to_q_lora`."""
    from peft.utils import get_peft_model_state_dict

    tuned = _tuned(small_base, lora_alpha=4)
    tensors = {}
    text_names = {"q_proj": "to_q", "v_proj": "to_v"}
    for component, module in tuned.components.items():
        for key, tensor in get_peft_model_state_dict(module, adapter_name="default").items():
            stem, _, half = key.partition(".lora_")
            stem = stem.removesuffix(".0")
            parent, _, leaf = stem.rpartition(".")
            middle = "processor." if component == "unet" else ""
            leaf = text_names.get(leaf, leaf)
            end = "down" if half.startswith("A") else "up"
            tensors[f"{component}.{parent}.{middle}{leaf}_lora.{end}.weight"] = tensor
    torch.save(tensors, tmp_path / "pytorch_lora_weights.bin")
    save_file(tensors, tmp_path / "old.safetensors")
    assert len(load_file(tmp_path / "old.safetensors")) == len(tensors)
    _check(small_base, tmp_path / "old.safetensors", tuned.outputs(), largest_difference)
    pickled = read_adapter(tmp_path / "pytorch_lora_weights.bin", allow_pickle=True)
    with applied(small_base.components, pickled):
        assert largest_difference(small_base.outputs(), tuned.outputs()) < 1e-4
