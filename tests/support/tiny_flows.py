"""Random models of the architectures of flows in small, and diffusers' own pipelines of them.

Kinds of layers, order and packing are those of the true ones; widths, depths and vocabularies are not.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from owf.core import families
from tiny_anima import AnimaPipeline, anima_parts
from tiny_qwen import (
    SIDE,
    dynamic_scheduler,
    evaluating,
    flow_scheduler,
    known_class,
    qwen,
    qwen_autoencoder,
    qwen_tokenizer,
    qwen_vl,
    t5_tokenizer,
    template_tokenizer,
)
from tiny_sd import TOKENIZER

_VAE = {
    "block_out_channels": (8, 8, 16, 16),
    "norm_num_groups": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
    "sample_size": SIDE,
}


def autoencoder(latent_channels: int = 4) -> Any:
    """Return an untrained VAE with FLUX.1's scale of latents, which is Z-Image's too."""
    from diffusers import AutoencoderKL

    config = {**_VAE, "latent_channels": latent_channels, "scaling_factor": 0.3611, "shift_factor": 0.1159}
    return AutoencoderKL(**config, use_quant_conv=False, use_post_quant_conv=False)


def normalising_autoencoder(latent_channels: int = 4) -> Any:
    """Return an untrained VAE that carries statistics of its latents, as FLUX.2's does."""
    from diffusers import AutoencoderKLFlux2

    vae = AutoencoderKLFlux2(**{**_VAE, "latent_channels": latent_channels})
    vae.bn.running_mean.normal_(std=0.3)
    vae.bn.running_var.uniform_(0.5, 2.0)
    return vae


def flux_parts(seed: int = 0, guidance: bool = True, dynamic: bool = True) -> SimpleNamespace:
    """Return the untrained parts of a FLUX.1; latents are 4x8x8."""
    from diffusers import FluxTransformer2DModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel

    torch.manual_seed(seed)
    t5 = t5_tokenizer()
    clip = CLIPTextConfig(
        hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, eos_token_id=2
    )
    transformer = FluxTransformer2DModel(
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=24,
        guidance_embeds=guidance,
        axes_dims_rope=(4, 4, 8),
    )
    t5_config = T5Config(
        vocab_size=len(t5), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu"
    )
    return evaluating(
        transformer=transformer,
        vae=autoencoder(),
        text_encoder=CLIPTextModel(clip),
        text_encoder_2=T5EncoderModel(t5_config),
        tokenizer=CLIPTokenizer.from_pretrained(TOKENIZER),
        tokenizer_2=t5,
        scheduler=flow_scheduler(shift=3.0, use_dynamic_shifting=dynamic, base_image_seq_len=8, max_image_seq_len=64),
        index={},
    )


def z_image_parts(seed: int = 0) -> SimpleNamespace:
    """Return the untrained parts of a Z-Image; latents are 4x8x8."""
    from diffusers import ZImageTransformer2DModel

    torch.manual_seed(seed)
    tokenizer = qwen_tokenizer()
    transformer = ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[4, 4, 8],
        axes_lens=[1024, 64, 64],
    )
    return evaluating(
        transformer=transformer,
        vae=autoencoder(),
        text_encoder=qwen("Qwen3Model", len(tokenizer), 3),
        tokenizer=tokenizer,
        scheduler=flow_scheduler(shift=3.0),
        index={},
    )


def klein_parts(seed: int = 0, distilled: bool = False) -> SimpleNamespace:
    """Return the untrained parts of a FLUX.2 klein; latents are 16x4x4."""
    from diffusers import Flux2Transformer2DModel

    torch.manual_seed(seed)
    tokenizer = qwen_tokenizer()
    vae = normalising_autoencoder()
    transformer = Flux2Transformer2DModel(
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=96,
        timestep_guidance_channels=32,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    return evaluating(
        transformer=transformer,
        vae=vae,
        text_encoder=qwen("Qwen3ForCausalLM", len(tokenizer), 28),
        tokenizer=tokenizer,
        scheduler=flow_scheduler(shift=3.0, use_dynamic_shifting=True),
        index={"is_distilled": distilled},
    )


def krea2_parts(seed: int = 0, distilled: bool = False) -> SimpleNamespace:
    """Return the untrained parts of a Krea 2; latents are 4x8x8."""
    transformer_class = known_class("Krea2Transformer2DModel")
    torch.manual_seed(seed)
    tokenizer = template_tokenizer()
    transformer = transformer_class(
        in_channels=16,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=80,
        timestep_embed_dim=32,
        text_hidden_dim=32,
        text_num_attention_heads=2,
        text_num_key_value_heads=2,
        text_intermediate_size=48,
        axes_dims_rope=(4, 6, 6),
    )
    for name, weight in transformer.named_parameters():  # norms and tables begin at zero
        if weight.ndim == 1 or "table" in name:
            weight.data.normal_(std=0.3)
    return evaluating(
        transformer=transformer,
        vae=qwen_autoencoder(),
        text_encoder=qwen_vl("Qwen3VLModel", tokenizer, 36),
        tokenizer=tokenizer,
        scheduler=dynamic_scheduler(),
        index={"is_distilled": distilled, "text_encoder_select_layers": None, "patch_size": 2},
    )


def qwen_image_parts(seed: int = 0) -> SimpleNamespace:
    """Return the untrained parts of a Qwen-Image; latents are 4x8x8."""
    transformer_class = known_class("QwenImageTransformer2DModel")
    torch.manual_seed(seed)
    tokenizer = template_tokenizer()
    transformer = transformer_class(
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 6, 6),
    )
    return evaluating(
        transformer=transformer,
        vae=qwen_autoencoder(),
        text_encoder=qwen_vl("Qwen2_5_VLForConditionalGeneration", tokenizer, 3),
        tokenizer=tokenizer,
        scheduler=dynamic_scheduler(max_shift=0.9, shift_terminal=0.02),
        index={},
    )


PIPELINES = {
    "flux": "FluxPipeline",
    "z_image": "ZImagePipeline",
    "flux2_klein": "Flux2KleinPipeline",
    "krea2": "Krea2Pipeline",
    "qwen_image": "QwenImagePipeline",
}
"""Family -> class of diffusers'; Anima has a modular one alone."""
PARTS = {
    "flux": flux_parts,
    "z_image": z_image_parts,
    "flux2_klein": klein_parts,
    "krea2": krea2_parts,
    "qwen_image": qwen_image_parts,
    "anima": anima_parts,
}
TRAINED = {family: parts for family, parts in PARTS.items() if families.get(family).trains}
"""Those that are trained too."""
PACKED = ("flux", "krea2", "qwen_image")
"""Families whose pipelines take latents as tokens of patches of 2 by 2."""


def pipeline_of(family: str, parts: SimpleNamespace) -> Any:
    """Return diffusers' own pipeline of the parts."""
    import diffusers

    models = {name: part for name, part in vars(parts).items() if name != "index"}
    kind = AnimaPipeline if family == "anima" else getattr(diffusers, PIPELINES[family])
    pipeline = kind(**models, **parts.index)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_folder(family: str, parts: SimpleNamespace, folder: Path) -> Path:
    """Write the parts as a diffusers folder and return it."""
    pipeline_of(family, parts).save_pretrained(folder)
    return folder


def given(family: str, latents: torch.Tensor) -> torch.Tensor:
    """Return latents (N, C, h, w) as the pipeline of a family takes them."""
    from diffusers import FluxPipeline

    if family == "anima":  # a frame of a video
        return latents.unsqueeze(2)
    if family not in PACKED:
        return latents
    count, channels, height, width = latents.shape
    return FluxPipeline._pack_latents(latents, count, channels, height, width)


def found(family: str, output: Any, shape: torch.Size) -> torch.Tensor:
    """Return what a transformer gave to its pipeline as a prediction in the shape of latents: noise less latents."""
    from diffusers import FluxPipeline

    if family == "z_image":
        return -torch.stack(output).squeeze(2)
    if family == "anima":
        return output.squeeze(2)
    if family in PACKED:  # it unpacks by the size in pixels
        return FluxPipeline._unpack_latents(output, shape[-2] * 8, shape[-1] * 8, 8)
    return output.permute(0, 2, 1).reshape(shape)
