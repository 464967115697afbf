"""A random model of Stable Diffusion XL's architecture in small, made in a second: real vocabulary, two encoders."""

from pathlib import Path
from types import SimpleNamespace

import torch
from tiny_sd import TOKENIZER

WIDTHS = (32, 48)
"""Hidden sizes of the two text encoders; the cross-attention takes their sum."""
POOLED = 40
"""Size of the pooled vector; that of Stable Diffusion XL is as large as the second encoder's width, by chance."""


def tiny_xl_parts(seed: int = 0, widths: tuple[int, int] = WIDTHS) -> SimpleNamespace:
    """Return the untrained parts of a Stable Diffusion XL; latents are 4x8x8, images 64x64.

    Levels, blocks and layers are those of the true one, but for their widths and the depth of its transformers.
    """
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 2),
        cross_attention_dim=sum(widths),
        attention_head_dim=(1, 2, 4),
        norm_num_groups=8,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=POOLED + 6 * 8,
    )
    vae = AutoencoderKL(
        sample_size=64,
        block_out_channels=(8, 8, 16, 16),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=0.13025,
        force_upcast=True,
    )
    small = {"intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "eos_token_id": 2}
    first = CLIPTextConfig(hidden_size=widths[0], **small)
    second = CLIPTextConfig(hidden_size=widths[1], projection_dim=POOLED, hidden_act="gelu", **small)
    return SimpleNamespace(
        unet=unet,
        vae=vae,
        text_encoder=CLIPTextModel(first),
        text_encoder_2=CLIPTextModelWithProjection(second),
        tokenizer=CLIPTokenizer.from_pretrained(TOKENIZER),
        tokenizer_2=CLIPTokenizer.from_pretrained(TOKENIZER, pad_token="!"),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
        index={"force_zeros_for_empty_prompt": True},
    )


def pipeline_of(parts: SimpleNamespace):
    """Return diffusers' own pipeline of the parts."""
    from diffusers import StableDiffusionXLPipeline

    models = {name: part for name, part in vars(parts).items() if name != "index"}
    pipeline = StableDiffusionXLPipeline(**models, **parts.index, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_folder(parts: SimpleNamespace, folder: Path) -> Path:
    """Write the parts as a diffusers folder and return it."""
    pipeline_of(parts).save_pretrained(folder)
    return folder


LAYERS = {
    "unet": (
        "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k",
        "down_blocks.2.attentions.1.transformer_blocks.1.attn1.to_out.0",
        "down_blocks.2.attentions.1.proj_in",
        "mid_block.attentions.0.transformer_blocks.1.ff.net.0.proj",
        "up_blocks.0.attentions.2.transformer_blocks.0.attn2.to_v",
        "up_blocks.1.attentions.0.transformer_blocks.0.ff.net.2",
    ),
    "text_encoder": ("text_model.encoder.layers.0.self_attn.q_proj", "text_model.encoder.layers.1.mlp.fc1"),
    "text_encoder_2": ("text_model.encoder.layers.0.self_attn.v_proj", "text_model.encoder.layers.1.mlp.fc2"),
}
"""Layers of every kind that a LoRA changes: levels, depths, attentions, projections and both text encoders."""
ALPHA, RANK = 2.0, 4


def lora_factors(parts: SimpleNamespace, size: float = 0.5) -> dict[tuple[str, str], tuple[torch.Tensor, torch.Tensor]]:
    """Return random factors (down, up) for LAYERS of the parts, by component and layer."""
    generator, found = torch.Generator().manual_seed(3), {}
    for component, names in LAYERS.items():
        modules = {name.removeprefix("text_model."): m for name, m in getattr(parts, component).named_modules()}
        for name in names:
            weight = modules[name.removeprefix("text_model.")].weight
            down = torch.randn(RANK, weight.shape[1], generator=generator) * weight.shape[1] ** -0.5
            found[component, name] = down, size * torch.randn(weight.shape[0], RANK, generator=generator)
    return found


def kohya(factors: dict, unet_name=lambda name: name) -> dict[str, torch.Tensor]:
    """Return a LoRA's tensors as kohya's scripts write them; `unet_name` spells a layer of the U-Net."""
    begin = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}
    return _with_alpha(factors, lambda component, name: begin[component] + name.replace(".", "_"), unet_name)


def comfy(factors: dict, unet_name) -> dict[str, torch.Tensor]:
    """Return the same as ComfyUI saves them: dotted names of the original code, and of its own text encoders."""
    begin = {
        "unet": "diffusion_model.",
        "text_encoder": "text_encoders.clip_l.transformer.",
        "text_encoder_2": "text_encoders.clip_g.transformer.",
    }
    return _with_alpha(factors, lambda component, name: begin[component] + name, unet_name)


def _with_alpha(factors: dict, stem_of, unet_name) -> dict[str, torch.Tensor]:
    tensors = {}
    for (component, name), (down, up) in factors.items():
        stem = stem_of(component, unet_name(name) if component == "unet" else name)
        tensors |= {
            f"{stem}.lora_down.weight": down,
            f"{stem}.lora_up.weight": up,
            f"{stem}.alpha": torch.tensor(ALPHA),
        }
    return tensors


def peft(factors: dict) -> dict[str, torch.Tensor]:
    """Return the same as diffusers writes them: without alpha, which is part of the factors."""
    return _without_alpha(factors, "lora_A", "lora_B")


def old_diffusers(factors: dict) -> dict[str, torch.Tensor]:
    """Return the same as diffusers 0.18 to 0.21 wrote them."""
    return _without_alpha(factors, "lora_linear_layer.down", "lora_linear_layer.up")


def _without_alpha(factors: dict, down_name: str, up_name: str) -> dict[str, torch.Tensor]:
    tensors = {}
    for (component, name), (down, up) in factors.items():
        tensors[f"{component}.{name}.{down_name}.weight"] = down
        tensors[f"{component}.{name}.{up_name}.weight"] = up * (ALPHA / RANK)
    return tensors
