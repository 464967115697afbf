"""A tiny transformer of ComfyUI's own classes, with text encoders and VAE, from the weights of a diffusers folder."""

from functools import partial
from pathlib import Path

import comfy.diffusers_convert
import comfy.model_patcher
import comfy.sd
import torch
from comfy import model_detection, supported_models, supported_models_base
from comfy.ldm.models.autoencoder import AutoencoderKL
from comfy.ldm.modules.diffusionmodules.mmdit import TimestepEmbedder
from comfy.text_encoders import flux
from prelude import GIVEN, pack
from safetensors.torch import load_file

WHOLE = {"device": "cpu", "dtype": torch.float32}
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 1, "num_key_value_heads": 1}


def build(family, folder, file):
    """Return MODEL, CLIP and VAE with the weights of a folder, the transformer's from a file."""
    with torch.inference_mode(False):
        clip = _CLIPS.get(family, _flux_clip)(folder)
        model = {"z_image": _z_image, "qwen_image": _qwen_image, "anima": _anima}.get(family, _found)(file)
        return model, clip, _video_vae(file) if family in ("krea2", "qwen_image", "anima") else _vae(folder)


def built():
    """Return those of the model that the test gave."""
    return build(GIVEN["family"], GIVEN["folder"], GIVEN["file"])


def _found(file):
    """Return a MODEL as ComfyUI finds out by itself what it is."""
    family = Path(file).stem
    model = comfy.sd.load_diffusion_model_state_dict(load_file(file), model_options={"dtype": torch.float32})
    config = model.model.model_config
    kind = {"flux": "Flux", "schnell": "FluxSchnell", "flux2_klein": "Flux2", "krea2": "Krea2"}[family]
    assert type(config).__name__ == kind
    if family == "flux2_klein":  # told from its larger relatives by its width, which is another one here
        config.__class__ = type("TinyKlein", (type(config),), {"owf_family": family})
    return model


def _z_image(file):
    """Return a MODEL of a class that is named here, since ComfyUI knows a Z-Image by its true width alone."""
    sizes = {"dim": 32, "n_layers": 2, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2, "cap_feat_dim": 32}
    known = {
        "image_model": "lumina2", "patch_size": 2, "in_channels": 16, "qk_norm": True, "rope_theta": 256.0,
        "ffn_dim_multiplier": 8.0 / 3.0, "z_image_modulation": True, "time_scale": 1000.0, "pad_tokens_multiple": 32,
        "axes_dims": [4, 4, 8], "axes_lens": [1536, 512, 512], "multiple_of": 1,
    }  # fmt: skip
    config = supported_models.ZImage({**known, **sizes})
    config.set_inference_dtype(torch.float32, None)
    network = config.get_model({}, device="cpu")
    # Widths of the timestep's embedding follow from that of true models only.
    embedder = TimestepEmbedder(1024, output_size=32, operations=torch.nn, **WHOLE)
    network.diffusion_model.t_embedder = embedder
    return _with_weights(network, file)


def _qwen_image(file):
    """Return a MODEL of a class that is named here: ComfyUI takes any Qwen-Image to be of the true width."""
    sizes = {"in_channels": 64, "num_layers": 2, "num_attention_heads": 1, "joint_attention_dim": 128}
    config = supported_models.QwenImage({"image_model": "qwen_image", **sizes})
    config.set_inference_dtype(torch.float32, None)
    return _with_weights(config.get_model({}, device="cpu"), file)


def _anima(file):
    """Return a MODEL as ComfyUI finds out that it is one, but for sizes that it takes to be those of the true one."""
    from comfy.ldm.anima import model as anima  # ComfyUI of 2025 has none

    found = model_detection.detect_unet_config(load_file(file), "")
    assert found["image_model"] == "anima"
    adapter = {"source_dim": 32, "target_dim": 32, "model_dim": 32, "num_layers": 2, "num_heads": 2}
    anima.LLMAdapter = partial(anima.LLMAdapter, **adapter)
    config = supported_models.Anima({**found, "num_heads": 2, "crossattn_emb_channels": 32, "adaln_lora_dim": 8})
    config.set_inference_dtype(torch.float32, None)
    return _with_weights(config.get_model({}, device="cpu"), file)


def _with_weights(network, file):
    weights = load_file(file)
    missing, unexpected = network.diffusion_model.load_state_dict(weights, strict=False)
    assert not missing and not unexpected, (missing, unexpected)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(network.eval().requires_grad_(False), cpu, cpu)


def _weights(folder, part):
    (file,) = Path(folder, part).glob("*.safetensors")
    return load_file(file)


def _clip(tokenizer, encoder, **options):
    return comfy.sd.CLIP(
        supported_models_base.ClipTarget(tokenizer, encoder), model_options={**options, "dtype": torch.float32}
    )


def _load(encoder, weights):
    missing, unexpected = encoder.load_sd(weights)
    beside = ("text_projection.weight", "position_ids")
    assert not [name for name in (*missing, *unexpected) if not name.endswith(beside)], (missing, unexpected)


def _flux_clip(folder):
    small = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    t5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    config = {"clip_l_model_config": {**small, "eos_token_id": 49407}, "t5xxl_model_config": t5}
    clip = _clip(flux.FluxTokenizer, flux.flux_clip(dtype_t5=torch.float32), **config)
    named = {
        f"text_model.{name.removeprefix('text_model.')}": v for name, v in _weights(folder, "text_encoder").items()
    }
    _load(clip.cond_stage_model.clip_l, named)
    _load(clip.cond_stage_model.t5xxl, _weights(folder, "text_encoder_2"))
    return clip


def _z_image_clip(folder):
    from comfy.text_encoders import z_image  # ComfyUI of autumn 2025 has none

    config = {"qwen3_4b_model_config": {**TEXT, "num_hidden_layers": 3}}
    clip = _clip(z_image.ZImageTokenizer, z_image.te(dtype_llama=torch.float32), **config)
    named = {f"model.{name}": value for name, value in _weights(folder, "text_encoder").items()}
    _load(clip.cond_stage_model.qwen3_4b, named)
    return clip


def _klein_clip(folder):
    config = {"qwen3_4b_model_config": {**TEXT, "num_hidden_layers": 28}}
    clip = _clip(flux.KleinTokenizer, flux.klein_te(dtype_llama=torch.float32), **config)
    _load(clip.cond_stage_model.qwen3_4b, _weights(folder, "text_encoder"))
    return clip


def _krea2_clip(folder):
    from comfy.text_encoders import krea2, qwen3vl  # ComfyUI of 2025 has none

    qwen3vl.Qwen3VLVisionModel = _sees_nothing
    config = {"qwen3vl_4b_model_config": {**TEXT, "hidden_size": 40, "num_hidden_layers": 36}}
    clip = _clip(krea2.Krea2Tokenizer, krea2.te(dtype_llama=torch.float32), **config)
    _load(clip.cond_stage_model.qwen3vl_4b, _reading(folder))
    return clip


def _qwen_image_clip(folder):
    from comfy.text_encoders import qwen_image, qwen_vl

    qwen_vl.Qwen2VLVisionTransformer = _sees_nothing
    config = {"qwen25_7b_model_config": {**TEXT, "hidden_size": 128, "num_hidden_layers": 3}}
    clip = _clip(qwen_image.QwenImageTokenizer, qwen_image.te(dtype_llama=torch.float32), **config)
    _load(clip.cond_stage_model.qwen25_7b, _reading(folder))
    return clip


def _anima_clip(folder):
    from comfy.text_encoders import anima  # ComfyUI of 2025 has none

    config = {"qwen3_06b_model_config": {**TEXT, "num_hidden_layers": 3}}
    clip = _clip(anima.AnimaTokenizer, anima.te(dtype_llama=torch.float32), **config)
    named = {f"model.{name}": value for name, value in _weights(folder, "text_encoder").items()}
    _load(clip.cond_stage_model.qwen3_06b, named)
    return clip


def _sees_nothing(*_sizes, **_more):
    """Return what stands in for the part of a Qwen-VL that sees, which is not asked: ComfyUI makes it in full size."""
    return torch.nn.Identity()


def _reading(folder):
    """Return the weights of what reads in a Qwen-VL, by ComfyUI's names."""
    weights = _weights(folder, "text_encoder")
    found = {name.removeprefix("model.").removeprefix("language_model."): value for name, value in weights.items()}
    return {f"model.{name}": v for name, v in found.items() if not name.startswith(("visual.", "lm_head."))}


def _video_vae(file):
    """Return a VAE that ComfyUI finds out by itself, from a file in its names."""
    return comfy.sd.VAE(load_file(Path(file).with_name(f"{Path(file).stem}-vae.safetensors")), dtype=torch.float32)


_CLIPS = {
    "z_image": _z_image_clip,
    "flux2_klein": _klein_clip,
    "krea2": _krea2_clip,
    "qwen_image": _qwen_image_clip,
    "anima": _anima_clip,
}


def _vae(folder):
    """Return a VAE; ComfyUI makes those of the true widths alone, so that its weights are cut to size."""
    demo = pack("nodes.backend.demo")
    found = _weights(folder, "vae")
    norm = {name: found.pop(name) for name in list(found) if name.startswith("bn.")}
    weights = comfy.diffusers_convert.convert_vae_state_dict(found)
    channels, depth = weights["decoder.conv_in.weight"].shape[1], 1 + ("encoder.down.0.block.1.conv1.weight" in weights)
    if "quant_conv.weight" not in weights:  # the class has these layers, as FLUX.1's own has not
        for name, width in (("quant_conv", 2 * channels), ("post_quant_conv", channels)):
            weights |= {f"{name}.weight": torch.eye(width)[:, :, None, None], f"{name}.bias": torch.zeros(width)}
    layout = {
        "double_z": True, "z_channels": channels, "resolution": 64, "in_channels": 3, "out_ch": 3, "ch": 32,
        "ch_mult": [1, 1, 2, 2], "num_res_blocks": depth, "attn_resolutions": [], "dropout": 0.0,
        "batch_norm_latent": bool(norm),
    }  # fmt: skip
    parameters = {"ddconfig": layout, "embed_dim": channels}
    vae = comfy.sd.VAE(AutoencoderKL(**parameters).state_dict(), config={"params": parameters})
    demo._replace_weights(vae.first_stage_model, weights, torch.float32)
    demo._set_groups(vae.first_stage_model, 4)
    vae.vae_dtype = torch.float32
    if norm:
        vae.first_stage_model.bn.load_state_dict({name.removeprefix("bn."): value for name, value in norm.items()})
        vae.downscale_ratio, vae.upscale_ratio, vae.latent_channels = 16, 16, 4 * channels
    return vae
