"""A random model of Stable Diffusion 1's architecture in demo size, made in a second."""

from pathlib import Path
from types import SimpleNamespace

import torch

ROOT = Path(__file__).resolve().parent.parent.parent
TOKENIZER = ROOT / "core" / "families" / "configs" / "sd15" / "tokenizer"
WIDTH = 32


def tiny_parts(seed: int = 0, width: int = WIDTH) -> SimpleNamespace:
    """Return untrained unet, vae, text_encoder, tokenizer and scheduler; latents are 4x8x8, images 64x64."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64, 64, 64),
        cross_attention_dim=width,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    vae = AutoencoderKL(
        sample_size=64,
        block_out_channels=(8, 8, 16, 16),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    text = CLIPTextConfig(hidden_size=width, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
    return SimpleNamespace(
        unet=unet,
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(TOKENIZER),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            steps_offset=1,
        ),
    )


LORA_MODULES = {
    "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q": (64, 64),
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": (32, WIDTH),
    "lora_te_text_model_encoder_layers_0_self_attn_q_proj": (WIDTH, WIDTH),
}


def write_tiny_lora(path: Path, scale: float = 0.1, modules: dict[str, tuple[int, int]] = LORA_MODULES) -> Path:
    """Write a rank-4 kohya LoRA for the tiny model and return its path."""
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for name, (rows, columns) in modules.items():
        tensors[f"{name}.lora_down.weight"] = torch.randn(4, columns, generator=generator)
        tensors[f"{name}.lora_up.weight"] = scale * torch.randn(rows, 4, generator=generator)
        tensors[f"{name}.alpha"] = torch.tensor(4.0)
    save_file(tensors, path)
    return path
