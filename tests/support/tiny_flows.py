"""Random models of FLUX.1's, Z-Image's and FLUX.2 klein's architecture in small, and diffusers' own pipelines of them.

Kinds of layers, order and packing are those of the true ones; widths, depths and vocabularies are not.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from tiny_sd import TOKENIZER
from torch.utils._python_dispatch import _disable_current_modes

SIDE = 64
"""Side of the pictures in pixels: 4 by 4 tokens."""
_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
"""As Qwen3's for one message of a user: without thinking, an empty thought stands before the answer."""
_VAE = {
    "block_out_channels": (8, 8, 16, 16),
    "norm_num_groups": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
    "sample_size": SIDE,
}


def _scheduler(**settings: Any) -> Any:
    """Return a scheduler with real numbers wherever the models are made: fake ones have none."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    with _disable_current_modes(), torch.device("cpu"):
        return FlowMatchEulerDiscreteScheduler(**settings)


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


def _qwen_tokenizer() -> Any:
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2TokenizerFast  # pyright: ignore[reportAttributeAccessIssue]

    tokens = sorted(ByteLevel.alphabet())
    tokenizer = Qwen2TokenizerFast(vocab={token: number for number, token in enumerate(tokens)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template, tokenizer.model_max_length = _CHAT, 512
    return tokenizer


def qwen(kind: str, vocabulary: int, layers: int, **more: Any) -> Any:
    """Return an untrained Qwen3 of transformers' class `kind`, with `more` settings than those that are small here."""
    import transformers

    small = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = transformers.Qwen3Config(
        **{**small, "head_dim": 16, **more},
        vocab_size=vocabulary,
        num_hidden_layers=layers,
        tie_word_embeddings=True,
    )
    return getattr(transformers, kind)(config).eval()


def flux_parts(seed: int = 0, guidance: bool = True, dynamic: bool = True) -> SimpleNamespace:
    """Return the untrained parts of a FLUX.1; latents are 4x8x8."""
    from diffusers import FluxTransformer2DModel
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        CLIPTokenizer,
        T5Config,
        T5EncoderModel,
        T5TokenizerFast,  # pyright: ignore[reportAttributeAccessIssue]
    )

    torch.manual_seed(seed)
    pieces = ["<pad>", "</s>", "<unk>", "\u2581", *"abcdefghijklmnopqrstuvwxyz,.0123456789"]
    t5 = T5TokenizerFast(
        vocab=[(piece, -float(i > 2)) for i, piece in enumerate(pieces)], extra_ids=0, model_max_length=512
    )
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
        scheduler=_scheduler(shift=3.0, use_dynamic_shifting=dynamic, base_image_seq_len=8, max_image_seq_len=64),
        index={},
    )


def z_image_parts(seed: int = 0) -> SimpleNamespace:
    """Return the untrained parts of a Z-Image; latents are 4x8x8."""
    from diffusers import ZImageTransformer2DModel

    torch.manual_seed(seed)
    tokenizer = _qwen_tokenizer()
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
        scheduler=_scheduler(shift=3.0),
        index={},
    )


def klein_parts(seed: int = 0, distilled: bool = False) -> SimpleNamespace:
    """Return the untrained parts of a FLUX.2 klein; latents are 16x4x4."""
    from diffusers import Flux2Transformer2DModel

    torch.manual_seed(seed)
    tokenizer = _qwen_tokenizer()
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
        scheduler=_scheduler(shift=3.0, use_dynamic_shifting=True),
        index={"is_distilled": distilled},
    )


def evaluating(**parts: Any) -> SimpleNamespace:
    """Return the parts, with nothing of them to be trained."""
    for part in parts.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    return SimpleNamespace(**parts)


PIPELINES = {"flux": "FluxPipeline", "z_image": "ZImagePipeline", "flux2_klein": "Flux2KleinPipeline"}
PARTS = {"flux": flux_parts, "z_image": z_image_parts, "flux2_klein": klein_parts}


def pipeline_of(family: str, parts: SimpleNamespace) -> Any:
    """Return diffusers' own pipeline of the parts."""
    import diffusers

    models = {name: part for name, part in vars(parts).items() if name != "index"}
    pipeline = getattr(diffusers, PIPELINES[family])(**models, **parts.index)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_folder(family: str, parts: SimpleNamespace, folder: Path) -> Path:
    """Write the parts as a diffusers folder and return it."""
    pipeline_of(family, parts).save_pretrained(folder)
    return folder


def given(family: str, latents: torch.Tensor) -> torch.Tensor:
    """Return latents (N, C, h, w) as the pipeline of a family takes them."""
    from diffusers import FluxPipeline

    if family != "flux":
        return latents
    count, channels, height, width = latents.shape
    return FluxPipeline._pack_latents(latents, count, channels, height, width)


def found(family: str, output: Any, shape: torch.Size) -> torch.Tensor:
    """Return what a transformer gave to its pipeline as a prediction in the shape of latents: noise less latents."""
    from diffusers import FluxPipeline

    if family == "z_image":
        return -torch.stack(output).squeeze(2)
    if family == "flux":  # it unpacks by the size in pixels
        return FluxPipeline._unpack_latents(output, shape[-2] * 8, shape[-1] * 8, 8)
    return output.permute(0, 2, 1).reshape(shape)
