"""Claim: text-encoder LoRAs of SD2, SDXL and T5 give the outputs that PEFT gives for the same factors."""

import copy

import pytest
import torch
from owf.core.adapter import applied, read_adapter
from safetensors.torch import save_file

TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
KINDS = {
    "sd2": ("CLIPTextModel", 4, "gelu", "text_encoder", "lora_te_"),
    "sdxl first": ("CLIPTextModel", 2, "quick_gelu", "text_encoder", "lora_te1_"),
    "sdxl second": ("CLIPTextModelWithProjection", 3, "gelu", "text_encoder_2", "lora_te2_"),
}


def _encoder(kind, layers, activation):
    import transformers

    config = transformers.CLIPTextConfig(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=16,
        hidden_act=activation,
        projection_dim=24,
        bos_token_id=98,
        eos_token_id=99,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return getattr(transformers, kind)(config).eval().requires_grad_(False)


def _with_peft(model, targets):
    """Return a copy of the model with live random PEFT factors, alpha 2 and rank 4."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=4, lora_alpha=2, target_modules=targets, init_lora_weights=False)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return inject_adapter_in_model(config, copy.deepcopy(model)).eval()


def _factors(tuned):
    """Yield (dotted path, down, up) of every module that PEFT changed."""
    for dotted, module in tuned.named_modules():
        if hasattr(module, "lora_A") and "default" in module.lora_A:
            yield dotted, module.lora_A["default"].weight.detach(), module.lora_B["default"].weight.detach()


def _hidden(model):
    ids = torch.arange(15)[None] + 1
    with torch.no_grad():
        return [*model(ids, output_hidden_states=True).hidden_states, model(ids)[0]]


def _kohya_stem(prefix, dotted):
    return f"{prefix}text_model_{dotted.removeprefix('text_model.').replace('.', '_')}"


def _comfy_stem(component, dotted):
    which = "clip_l" if component == "text_encoder" else "clip_g"
    return f"text_encoders.{which}.transformer.text_model.{dotted.removeprefix('text_model.')}"


@pytest.mark.parametrize("dialect", ["kohya", "comfy"])
@pytest.mark.parametrize("name", KINDS)
def test_clip_outputs_are_those_of_peft(name, dialect, tmp_path, largest_difference):
    kind, layers, activation, component, prefix = KINDS[name]
    live = _encoder(kind, layers, activation)
    tuned = _with_peft(live, TARGETS)
    tensors = {}
    for dotted, down, up in _factors(tuned):
        stem = _kohya_stem(prefix, dotted) if dialect == "kohya" else _comfy_stem(component, dotted)
        tensors[f"{stem}.lora_down.weight"] = down
        tensors[f"{stem}.lora_up.weight"] = up
        tensors[f"{stem}.alpha"] = torch.tensor(2.0)
    save_file(tensors, tmp_path / "x.safetensors")
    before = _hidden(live)
    with applied({component: live}, read_adapter(tmp_path / "x.safetensors")) as report:
        assert report.unmatched == ()
        assert report.matched == layers * len(TARGETS)
        found = _hidden(live)
    assert largest_difference(found, _hidden(tuned)) < 1e-4
    assert largest_difference(found, before) > 1e-2


def test_both_encoders_of_sdxl_give_what_diffusers_gives(tmp_path, largest_difference):
    from diffusers import StableDiffusionXLPipeline

    live = {KINDS[name][3]: _encoder(*KINDS[name][:3]) for name in ("sdxl first", "sdxl second")}
    reference = copy.deepcopy(live)
    tensors = {}
    for name in ("sdxl first", "sdxl second"):
        component, prefix = KINDS[name][3:]
        for dotted, down, up in _factors(_with_peft(live[component], TARGETS)):
            stem = _kohya_stem(prefix, dotted)
            tensors |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
            tensors[f"{stem}.alpha"] = torch.tensor(2.0)
    save_file(tensors, tmp_path / "x.safetensors")
    state, alphas = StableDiffusionXLPipeline.lora_state_dict(tmp_path / "x.safetensors")[:2]
    for component, encoder in reference.items():
        StableDiffusionXLPipeline.load_lora_into_text_encoder(state, alphas, encoder, prefix=component)
    with applied(live, read_adapter(tmp_path / "x.safetensors")) as report:
        assert report.unmatched == ()
        for component, encoder in live.items():
            assert largest_difference(_hidden(encoder), _hidden(reference[component].eval())) < 1e-4


@pytest.mark.parametrize("component", ["text_encoder_3", "text_encoder_2"])
@pytest.mark.parametrize("beginning", ["lora_te3_", "text_encoders.t5xxl.transformer.", "t5xxl.transformer."])
def test_t5_is_the_third_encoder_of_sd3_and_the_second_of_flux(component, beginning, tmp_path):
    from transformers import T5Config, T5EncoderModel

    config = T5Config(vocab_size=50, d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4)
    live = T5EncoderModel(config).eval().requires_grad_(False)
    tuned = _with_peft(live, ["q", "k", "v", "o"])
    tensors = {}
    for dotted, down, up in _factors(tuned):
        stem = beginning + (dotted.replace(".", "_") if beginning.endswith("_") else dotted)
        tensors |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
        tensors[f"{stem}.alpha"] = torch.tensor(2.0)
    save_file(tensors, tmp_path / "x.safetensors")
    ids = torch.arange(10)[None]
    with torch.no_grad(), applied({component: live}, read_adapter(tmp_path / "x.safetensors")) as report:
        assert report.matched == 8
        assert report.unmatched == ()
        assert (live(ids)[0] - tuned(ids)[0]).abs().max() < 1e-4
