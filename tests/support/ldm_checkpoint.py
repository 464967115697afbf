"""A Stable Diffusion 1 pipeline written as one file with the names of the original code."""

import re
from pathlib import Path

UNET = (
    (r"^time_embedding\.linear_1", "time_embed.0"),
    (r"^time_embedding\.linear_2", "time_embed.2"),
    (r"^conv_in", "input_blocks.0.0"),
    (r"^conv_norm_out", "out.0"),
    (r"^conv_out", "out.2"),
    (r"^mid_block\.resnets\.0", "middle_block.0"),
    (r"^mid_block\.attentions\.0", "middle_block.1"),
    (r"^mid_block\.resnets\.1", "middle_block.2"),
    (r"^down_blocks\.(\d)\.resnets\.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.0"),
    (r"^down_blocks\.(\d)\.attentions\.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.1"),
    (r"^down_blocks\.(\d)\.downsamplers\.0\.conv", lambda m: f"input_blocks.{3 * int(m[1]) + 3}.0.op"),
    (r"^up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.0"),
    (r"^up_blocks\.(\d)\.attentions\.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.1"),
    (r"^up_blocks\.0\.upsamplers\.0", "output_blocks.2.1"),
    (r"^up_blocks\.(\d)\.upsamplers\.0", lambda m: f"output_blocks.{3 * int(m[1]) + 2}.2"),
)
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
VAE = (
    (r"\.mid_block\.resnets\.0", ".mid.block_1"),
    (r"\.mid_block\.resnets\.1", ".mid.block_2"),
    (r"\.mid_block\.attentions\.0\.group_norm", ".mid.attn_1.norm"),
    (r"\.mid_block\.attentions\.0\.to_out\.0", ".mid.attn_1.proj_out"),
    (r"\.mid_block\.attentions\.0\.to_([qkv])", r".mid.attn_1.\1"),
    (r"\.down_blocks\.(\d)\.resnets\.(\d)", r".down.\1.block.\2"),
    (r"\.down_blocks\.(\d)\.downsamplers\.0", r".down.\1.downsample"),
    (r"\.up_blocks\.(\d)\.resnets\.(\d)", lambda m: f".up.{3 - int(m[1])}.block.{m[2]}"),
    (r"\.up_blocks\.(\d)\.upsamplers\.0", lambda m: f".up.{3 - int(m[1])}.upsample"),
    (r"\.conv_shortcut", ".nin_shortcut"),
    (r"\.conv_norm_out", ".norm_out"),
)


def _rename(name: str, rules) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def _unet_name(name: str) -> str:
    resnet = re.search(r"resnets\.\d\.(\w+)", name)
    name = _rename(name, UNET)
    return name.replace(resnet[1], RESNET[resnet[1]]) if resnet else name


def write_checkpoint(parts, path: Path) -> Path:
    """Write the parts' weights under `model.diffusion_model`, `first_stage_model` and `cond_stage_model`."""
    from safetensors.torch import save_file

    tensors = {f"model.diffusion_model.{_unet_name(k)}": v for k, v in parts.unet.state_dict().items()}
    for key, value in parts.vae.state_dict().items():
        name = _rename(key, VAE)
        is_conv = ".attn_1." in name and value.ndim == 2  # the original code's attention is made of 1x1 convolutions
        tensors[f"first_stage_model.{name}"] = value[:, :, None, None] if is_conv else value
    for key, value in parts.text_encoder.state_dict().items():
        name = key if key.startswith("text_model.") else f"text_model.{key}"
        tensors[f"cond_stage_model.transformer.{name}"] = value
    save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    return path
