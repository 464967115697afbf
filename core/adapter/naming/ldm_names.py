"""Module names of the original (LDM / sgm) U-Net code, turned into those of diffusers."""

import re

_STEM = {
    "time_embed_0": "time_embedding_linear_1",
    "time_embed_2": "time_embedding_linear_2",
    "label_emb_0_0": "add_embedding_linear_1",
    "label_emb_0_2": "add_embedding_linear_2",
    "input_blocks_0_0": "conv_in",
    "out_0": "conv_norm_out",
    "out_2": "conv_out",
}
_MIDDLE = {"0": "mid_block_resnets_0", "1": "mid_block_attentions_0", "2": "mid_block_resnets_1"}
_RESNET = {
    "in_layers_0": "norm1",
    "in_layers_2": "conv1",
    "emb_layers_1": "time_emb_proj",
    "out_layers_0": "norm2",
    "out_layers_3": "conv2",
    "skip_connection": "conv_shortcut",
}
_BLOCK = re.compile(r"(input|output)_blocks_(\d{1,2})_(\d)_(.+)", re.ASCII | re.DOTALL)
_INSIDE = re.compile(
    r"(?:^|_)((?:input|output)_blocks_\d.*|middle_block_[012]_.*|time_embed_[02]|label_emb_0_[02]|(?<!to_)out_[02])$",
    re.ASCII | re.DOTALL,
)
"""Such a name behind other words; `to_out_0` is a layer of attention."""
_MID = re.compile(r"middle_block_([012])_(.+)", re.ASCII | re.DOTALL)


def is_ldm(path: str) -> bool:
    """Return whether a flattened module path (underscores for dots) follows the original U-Net code."""
    return path in _STEM or path.startswith(("input_blocks_", "output_blocks_", "middle_block_"))


def to_diffusers(path: str) -> str:
    """Return the diffusers spelling of a flattened module path; other spellings come back unchanged.

    Valid for every U-Net with two residual blocks per level on the way down: SD1, SD2 and SDXL.
    """
    if path in _STEM:
        return _STEM[path]
    if found := _MID.fullmatch(path):
        return f"{_MIDDLE[found[1]]}_{_RESNET.get(found[2], found[2])}"
    if found := _BLOCK.fullmatch(path):
        return _level(found[1], int(found[2]), int(found[3]), found[4])
    return path


def inside(path: str) -> str:
    """Return the diffusers spelling of the name of the original code in which `path` ends; "" where it holds none."""
    found = _INSIDE.search(path)
    return to_diffusers(found[1]) if found else ""


def _level(side: str, index: int, part: int, rest: str) -> str:
    """Return the name of one part of a numbered block: three blocks make a level, on either side."""
    level, layer = divmod(index - 1 if side == "input" else index, 3)
    prefix = f"{'down' if side == 'input' else 'up'}_blocks_{level}"
    if side == "input" and rest == "op":
        return f"{prefix}_downsamplers_0_conv"
    if side == "output" and part > 0 and rest == "conv":
        return f"{prefix}_upsamplers_0_conv"
    if part == 0:
        return f"{prefix}_resnets_{layer}_{_RESNET.get(rest, rest)}"
    return f"{prefix}_attentions_{layer}_{rest}"
