"""A Stable Diffusion 1 or XL pipeline written as one file with the names of the original code."""

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

    tensors = _unet_and_vae(parts)
    for key, value in parts.text_encoder.state_dict().items():
        tensors[f"cond_stage_model.transformer.{_with_level(key)}"] = value
    save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    return path


def xl_tensors(parts) -> dict:
    """Return the parts' weights as checkpoints of Stable Diffusion XL have them: the second encoder is OpenCLIP's."""
    tensors = _unet_and_vae(parts, _xl_unet_name)
    for key, value in parts.text_encoder.state_dict().items():
        tensors[f"conditioner.embedders.0.transformer.{_with_level(key)}"] = value
    for name, value in _open_clip(parts.text_encoder_2.state_dict()).items():
        tensors[f"conditioner.embedders.1.model.{name}"] = value
    tensors["conditioner.embedders.1.model.logit_scale"] = tensors["first_stage_model.quant_conv.bias"][0] * 0 + 4.6
    return {k: v.contiguous() for k, v in tensors.items()}


def _with_level(key: str) -> str:
    return key if key.startswith("text_model.") else f"text_model.{key}"


def _unet_and_vae(parts, unet_name=_unet_name) -> dict:
    tensors = {f"model.diffusion_model.{unet_name(k)}": v for k, v in parts.unet.state_dict().items()}
    return tensors | {f"first_stage_model.{name}": value for name, value in vae_tensors(parts.vae).items()}


def vae_tensors(vae) -> dict:
    """Return the weights of an autoencoder under the names of its original code."""
    tensors = {}
    for key, value in vae.state_dict().items():
        name = _rename(key, VAE)
        is_conv = ".attn_1." in name and value.ndim == 2  # the original code's attention is made of 1x1 convolutions
        tensors[name] = (value[:, :, None, None] if is_conv else value).contiguous()
    return tensors


def _xl_unet_name(name: str) -> str:
    """Return a name as that of three levels, of which the first has no attention, and of the sizes' embedding."""
    name = re.sub(r"^add_embedding\.linear_1", "label_emb.0.0", name)
    name = re.sub(r"^add_embedding\.linear_2", "label_emb.0.2", name)
    name = re.sub(r"^up_blocks\.(\d)\.upsamplers\.0", lambda m: f"output_blocks.{3 * int(m[1]) + 2}.2", name)
    return _unet_name(name)


def xl_module_name(name: str) -> str:
    """Return a layer of the U-Net under the name of the original code."""
    return _xl_unet_name(f"{name}.weight").removesuffix(".weight")


CLIP = (
    (r"^text_model\.embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"^text_model\.embeddings\.token_embedding", "token_embedding"),
    (r"^text_model\.final_layer_norm", "ln_final"),
    (r"^text_model\.encoder\.layers", "transformer.resblocks"),
    (r"\.layer_norm([12])\.", r".ln_\1."),
    (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."),
    (r"\.self_attn\.", ".attn."),
)


def _open_clip(weights: dict) -> dict:
    import torch

    named = {_rename(k, CLIP): v for k, v in weights.items() if not k.endswith("position_ids")}
    named["text_projection"] = named.pop("text_projection.weight").T
    for name in [name for name in named if ".attn.q_proj." in name]:
        parts = [named.pop(name.replace("q_proj", f"{part}_proj")) for part in "qkv"]
        named[name.replace("q_proj.", "in_proj_")] = torch.cat(parts)
    return named
