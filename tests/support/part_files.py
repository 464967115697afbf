"""Text encoders and VAEs as files of their own, under the names that ComfyUI's have."""

import re
from pathlib import Path

import torch
from ldm_checkpoint import vae_tensors
from safetensors.torch import save_file

_WAN = (
    (r"\.norm1\.", ".residual.0."),
    (r"\.conv1\.", ".residual.2."),
    (r"\.norm2\.", ".residual.3."),
    (r"\.conv2\.", ".residual.6."),
    (r"\.conv_shortcut", ".shortcut"),
    (r"mid_block\.resnets\.0", "middle.0"),
    (r"mid_block\.attentions\.0", "middle.1"),
    (r"mid_block\.resnets\.1", "middle.2"),
    (r"^encoder\.down_blocks", "encoder.downsamples"),
    (r"coder\.norm_out", "coder.head.0"),
    (r"coder\.conv_out", "coder.head.2"),
    (r"coder\.conv_in", "coder.conv1"),
    (r"^quant_conv", "conv1"),
    (r"^post_quant_conv", "conv2"),
)
"""diffusers' names of Qwen-Image's VAE -> those of Wan's code, in turn."""


def vae_file(vae) -> dict[str, torch.Tensor]:
    """Return a VAE's weights under the names of its original code."""
    kind = type(vae).__name__
    if kind == "AutoencoderKLQwenImage":
        return {wan_name(name, vae.config.num_res_blocks + 1): value for name, value in vae.state_dict().items()}
    if kind == "AutoencoderKLFlux2":
        inside = ((r"^quant_conv", "encoder.quant_conv"), (r"^post_quant_conv", "decoder.post_quant_conv"))
        found = vae_tensors(vae)
        for pattern, there in inside:  # of what they follow
            found = {re.sub(pattern, there, name): value for name, value in found.items()}
        return found
    return vae_tensors(vae)


def wan_name(name: str, resnets: int) -> str:
    """Return a name of Qwen-Image's VAE, with so many layers before each doubling of the size, as Wan's code has it."""
    match = re.match(r"decoder\.up_blocks\.(\d)\.(resnets|upsamplers)\.(\d)", name)
    if match:  # they stand in one row
        layer = int(match[1]) * (resnets + 1) + (int(match[3]) if match[2] == "resnets" else resnets)
        name = f"decoder.upsamples.{layer}{name[match.end() :]}"
    for pattern, there in _WAN:
        name = re.sub(pattern, there, name)
    return name


def encoder_file(encoder) -> dict[str, torch.Tensor]:
    """Return a text encoder's weights under the names of files in ComfyUI's folder `text_encoders`."""
    kind, state = type(encoder).__name__, dict(encoder.state_dict())
    if kind == "CLIPTextModel":
        found = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in state.items()}
        more = {"text_projection.weight": torch.eye(encoder.config.hidden_size), "logit_scale": torch.tensor(4.6)}
        return found | more | {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    if kind in ("Qwen3Model", "Qwen3VLModel"):
        return {f"model.{name}": value for name, value in state.items()}
    if kind == "Qwen2_5_VLForConditionalGeneration":
        plain = {name.replace("model.language_model.", "model."): value for name, value in state.items()}
        return {name.replace("model.visual.", "visual."): value for name, value in plain.items()}
    return {name: value for name, value in state.items() if name != "lm_head.weight"}


def save(tensors: dict[str, torch.Tensor], file: Path) -> Path:
    """Write tensors, each with memory of its own, and return the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, file)
    return file
