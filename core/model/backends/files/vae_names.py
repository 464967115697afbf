"""The names of VAEs in their original code, as files of one part have them, in diffusers' names. No torch.

AutoencoderKL's are those of latent diffusion, which FLUX.2's has too; Qwen-Image's are those of Wan's video VAE.
"""

import re
from collections.abc import Iterable

_LATENT_DIFFUSION = (
    (r"^encoder\.quant_conv\.", "quant_conv."),  # FLUX.2's stand inside of what they follow
    (r"^decoder\.post_quant_conv\.", "post_quant_conv."),
    (r"^(en|de)coder\.norm_out\.", r"\1coder.conv_norm_out."),
    (r"^encoder\.down\.(\d{1,3})\.block\.", r"encoder.down_blocks.\1.resnets."),
    (r"^encoder\.down\.(\d{1,3})\.downsample\.", r"encoder.down_blocks.\1.downsamplers.0."),
    (r"^decoder\.up\.(\d{1,3})\.block\.", r"decoder.up_blocks.\1.resnets."),
    (r"^decoder\.up\.(\d{1,3})\.upsample\.", r"decoder.up_blocks.\1.upsamplers.0."),
    (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
    (r"\.mid\.attn_1\.norm\.", ".mid_block.attentions.0.group_norm."),
    (r"\.mid\.attn_1\.([qkv])\.", r".mid_block.attentions.0.to_\1."),
    (r"\.mid\.attn_1\.proj_out\.", ".mid_block.attentions.0.to_out.0."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
)
_WAN = (
    (r"^conv1\.", "quant_conv."),
    (r"^conv2\.", "post_quant_conv."),
    (r"^(en|de)coder\.conv1\.", r"\1coder.conv_in."),
    (r"^(en|de)coder\.head\.0\.", r"\1coder.norm_out."),
    (r"^(en|de)coder\.head\.2\.", r"\1coder.conv_out."),
    (r"\.middle\.0\.", ".mid_block.resnets.0."),
    (r"\.middle\.1\.", ".mid_block.attentions.0."),
    (r"\.middle\.2\.", ".mid_block.resnets.1."),
    (r"^encoder\.downsamples\.", "encoder.down_blocks."),
    (r"\.residual\.0\.", ".norm1."),
    (r"\.residual\.2\.", ".conv1."),
    (r"\.residual\.3\.", ".norm2."),
    (r"\.residual\.6\.", ".conv2."),
    (r"\.shortcut\.", ".conv_shortcut."),
)
"""What stands in the original code -> in diffusers'; all that fit, in turn."""
_DIFFUSERS = ".mid_block."
"""A part of names that every VAE of diffusers' has."""
_IS_WAN = re.compile(r"(encoder\.downsamples|decoder\.upsamples)\.")
_UP = re.compile(r"^decoder\.up_blocks\.(\d{1,3})\.", re.ASCII)
_UPSAMPLES = re.compile(r"^decoder\.upsamples\.(\d{1,3})\.", re.ASCII)


def in_diffusers_names(names: Iterable[str]) -> dict[str, str]:
    """Return name of each weight of a VAE -> diffusers' name, which those that are not known are left to have."""
    known = list(names)
    if any(_DIFFUSERS in name for name in known):
        return {name: name for name in known}
    if any(_IS_WAN.match(name) for name in known):
        size = _block_size(known)
        return {name: _renamed(_in_blocks(name, size), _WAN) for name in known}
    found = {name: _renamed(name, _LATENT_DIFFUSION) for name in known}
    levels = 1 + max((int(match[1]) for name in found.values() if (match := _UP.match(name))), default=0)
    # The original code counts the levels of a decoder from the finest, diffusers from the coarsest.
    return {name: _turned(live, levels) for name, live in found.items()}


def _renamed(name: str, rules: Iterable[tuple[str, str]]) -> str:
    for pattern, there in rules:
        name = re.sub(pattern, there, name, flags=re.ASCII)
    return name


def _turned(name: str, levels: int) -> str:
    return _UP.sub(lambda match: f"decoder.up_blocks.{levels - 1 - int(match[1])}.", name)


def _block_size(names: Iterable[str]) -> int:
    """Return how many layers a level of Wan's decoder has before the one that doubles the size."""
    doubling = (match[1] for name in names if (match := _UPSAMPLES.match(name)) and ".resample." in name)
    return min(map(int, doubling), default=0)


def _in_blocks(name: str, size: int) -> str:
    """Return a name of Wan's decoder, whose layers stand in one row, with their levels."""
    match = _UPSAMPLES.match(name)
    if match is None:
        return name
    level, layer = divmod(int(match[1]), size + 1)
    inner = f"resnets.{layer}" if layer < size else "upsamplers.0"
    return f"decoder.up_blocks.{level}.{inner}.{name[match.end() :]}"
