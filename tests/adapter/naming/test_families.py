"""Claim: a LoRA of every layer of a transformer is recognised as its family's and changes all of them."""

import warnings

import pytest
import torch
from owf.core.adapter import applied, read_adapter
from safetensors.torch import save_file
from transformer_layers import SETTINGS, built, recorded

HEADS = {"attention_head_dim": 8, "num_attention_heads": 2}
JOINT = {**HEADS, "joint_attention_dim": 16}
MODELS = {
    "SD3Transformer2DModel": (
        "sd3",
        {**JOINT, "sample_size": 8, "patch_size": 1, "num_layers": 2, "caption_projection_dim": 16}
        | {"pooled_projection_dim": 16, "in_channels": 4, "out_channels": 4},
    ),
    "FluxTransformer2DModel": (
        "flux",
        {**JOINT, "in_channels": 4, "num_layers": 1, "num_single_layers": 1, "pooled_projection_dim": 16}
        | {"axes_dims_rope": (2, 2, 4)},
    ),
    "Flux2Transformer2DModel": (
        "flux2",
        {**JOINT, "in_channels": 4, "num_layers": 1, "num_single_layers": 1, "axes_dims_rope": (2, 2, 2, 2)}
        | {"timestep_guidance_channels": 16},
    ),
    "ChromaTransformer2DModel": (
        "chroma",
        {**JOINT, "in_channels": 4, "num_layers": 1, "num_single_layers": 1, "axes_dims_rope": (2, 2, 4)}
        | {"approximator_num_channels": 8, "approximator_hidden_dim": 16, "approximator_layers": 1},
    ),
    "QwenImageTransformer2DModel": (
        "qwen_image",
        {**JOINT, "in_channels": 16, "out_channels": 4, "num_layers": 2, "axes_dims_rope": (2, 2, 4)},
    ),
    "WanTransformer3DModel": (
        "wan",
        {"num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 4, "out_channels": 4, "text_dim": 16}
        | {"freq_dim": 16, "ffn_dim": 32, "num_layers": 2},
    ),
    "HiDreamImageTransformer2DModel": (
        "hidream",
        {**HEADS, "patch_size": 2, "in_channels": 4, "out_channels": 4, "num_layers": 1, "num_single_layers": 1}
        | {"caption_channels": [16, 16], "text_emb_dim": 16, "num_routed_experts": 2, "num_activated_experts": 1}
        | {"axes_dims_rope": (4, 2, 2), "max_resolution": (8, 8), "llama_layers": (0, 1)},
    ),
    "Lumina2Transformer2DModel": (
        "lumina2",
        {"sample_size": 8, "in_channels": 4, "hidden_size": 16, "num_layers": 2, "num_refiner_layers": 1}
        | {"num_attention_heads": 2, "num_kv_heads": 1, "multiple_of": 2, "cap_feat_dim": 16}
        | {"axes_dim_rope": (4, 2, 2)},
    ),
    "HunyuanVideoTransformer3DModel": (
        "hunyuan_video",
        {"in_channels": 4, "out_channels": 4, "num_attention_heads": 2, "attention_head_dim": 10, "num_layers": 1}
        | {"num_single_layers": 1, "num_refiner_layers": 1, "patch_size": 1, "text_embed_dim": 16}
        | {"pooled_projection_dim": 8, "rope_axes_dim": (2, 4, 4)},
    ),
    "PixArtTransformer2DModel": (
        "pixart",
        {**HEADS, "sample_size": 8, "num_layers": 1, "in_channels": 4, "cross_attention_dim": 16}
        | {"caption_channels": 16, "num_embeds_ada_norm": 8},
    ),
    "ZImageTransformer2DModel": (
        "z_image",
        {"in_channels": 4, "dim": 16, "n_layers": 1, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2}
        | {"cap_feat_dim": 16, "axes_dims": [2, 2, 4], "axes_lens": [8, 8, 8]},
    ),
    "AuraFlowTransformer2DModel": (
        None,
        {**JOINT, "sample_size": 8, "in_channels": 4, "out_channels": 4, "num_mmdit_layers": 1}
        | {"num_single_dit_layers": 1, "caption_projection_dim": 16, "pos_embed_max_size": 64},
    ),
}


def _stem(dialect, dotted):
    return {
        "kohya": f"lora_unet_{dotted.replace('.', '_')}",
        "diffusers": f"transformer.{dotted}",
        "comfy": f"diffusion_model.{dotted}",
    }[dialect]


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    import diffusers

    if not hasattr(diffusers, request.param):
        pytest.skip("this diffusers does not know it")
    family, settings = MODELS[request.param]
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        live = getattr(diffusers, request.param)(**settings)
    return family, live.eval().requires_grad_(False)


@pytest.mark.parametrize("dialect", ["kohya", "diffusers", "comfy"])
def test_every_layer_is_changed(dialect, model, tmp_path):
    family, live = model
    layers = {name: part for name, part in live.named_modules() if isinstance(part, torch.nn.Linear)}
    generator = torch.Generator().manual_seed(1)
    factors, tensors = {}, {}
    for name, layer in layers.items():
        down = torch.randn(2, layer.in_features, generator=generator)
        up = torch.randn(layer.out_features, 2, generator=generator)
        factors[name] = layer.weight + up @ down
        ends = ("lora_down", "lora_up") if dialect == "kohya" else ("lora_A", "lora_B")
        tensors |= {f"{_stem(dialect, name)}.{end}.weight": part for end, part in zip(ends, (down, up), strict=True)}
    save_file(tensors, tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert adapter.family == family
    with applied({"transformer": live}, adapter) as report:
        assert report.unmatched == ()
        assert report.matched == len(layers)
        for name, layer in layers.items():
            # one product of rank 2 and one sum in float32
            assert torch.allclose(layer.weight, factors[name], atol=1e-5)


@pytest.mark.parametrize("family", SETTINGS)
def test_recorded_layers_are_those_of_diffusers_classes(family):
    import diffusers

    if not hasattr(diffusers, SETTINGS[family][0]):
        pytest.skip("this diffusers does not know it")
    assert recorded(family) == built(family)
